import { realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  makeChanges,
  planRemoval,
  planTies,
  resolveUnits,
  startGuard,
  stopGuard,
  type FileChange,
} from '../node/guard.ts';
import { knownInstances, selectInstances } from '../node/known-instances.ts';
import type { NodeContext } from '../node/node-context.ts';
import { readTies, readTieStatuses } from '../node/ties.ts';
import { knownConfigurations } from '../options/configured-instances.ts';
import type { Values } from '../options/option.ts';
import type { Operands } from '../options/parse-arguments.ts';
import { UsageError } from '../system/errors.ts';
import { ExitStatus } from '../system/exit-status.ts';
import { currentLogin } from '../system/login.ts';
import type { guardOptions } from './ha-options.ts';
import { nodeContext } from './node-context.ts';
import type { Output } from './output.ts';
import { namedInstances } from './run-ha-program.ts';

type GuardValues = Values<typeof guardOptions>;

/**
 * Ties instances to the units of their services, unties them, or shows the ties.
 *
 * @returns 0, or 1 when a tie does not do what it is for
 */
export async function haGuard(
  values: GuardValues,
  operands: Operands,
  output: Output,
): Promise<number> {
  refuseMixtures(values, operands);
  const context = nodeContext(values, output);
  if (values.list) return listTies(values, context, output);
  if (values.remove) return removeTies(values, operands, context, output);
  return tie(values, operands, context, output);
}

/** Throws UsageError for flags that exclude each other. */
function refuseMixtures(
  { list, remove, all, unit, json, 'dry-run': dryRun }: GuardValues,
  { positional }: Operands,
): void {
  if (list && (remove || all || dryRun || unit.length > 0 || positional.length > 0)) {
    throw new UsageError('--list: cannot be combined with anything that changes a tie');
  }
  if (all && !remove) throw new UsageError('--all: needs --remove');
  if (json && !list) throw new UsageError('--json: needs --list');
  if (!list && !remove && unit.length === 0)
    throw new UsageError('--unit: name the unit of the service');
}

async function tie(
  { unit: names, 'config-dir': folder, 'dry-run': dryRun }: GuardValues,
  operands: Operands,
  context: NodeContext,
  output: Output,
): Promise<number> {
  const [name = '', ...others] = namedInstances(operands, false);
  if (others.length > 0) throw new UsageError('name one instance');
  const configured = knownConfigurations(folder, context.ownUid).map(({ instance }) => instance);
  const [instance = ''] = selectInstances([name], [...knownInstances(context), ...configured]);
  const units = await resolveUnits(names, context);
  const changes = planTies(instance, units, suspendPath(), context);
  if (dryRun) return showChanges(changes, output);
  await makeChanges(changes, context);
  const problems = await startGuard(instance, units, context);
  for (const problem of problems) output.error(`${instance}: ${problem}`);
  if (problems.length > 0) return ExitStatus.notAsItShouldBe;
  const words = units.join(' and ');
  output.notice(`${instance}: ${words} ${units.length === 1 ? 'takes' : 'take'} it along`);
  return ExitStatus.up;
}

async function removeTies(
  { all, unit, 'dry-run': dryRun }: GuardValues,
  operands: Operands,
  context: NodeContext,
  output: Output,
): Promise<number> {
  const named = namedInstances(operands, all);
  const instances = all ? [...new Set(readTies().map(({ instance }) => instance))] : named;
  const changes = instances.flatMap((instance) =>
    planRemoval(instance, unit, suspendPath(), context),
  );
  if (dryRun) return showChanges(changes, output);
  await makeChanges(changes, context);
  const who = currentLogin();
  for (const instance of instances) await stopGuard(instance, who, context);
  if (changes.length === 0) output.notice('no unit takes that along: nothing to remove');
  return ExitStatus.up;
}

function showChanges(changes: readonly FileChange[], output: Output): number {
  for (const { path, text } of changes) {
    output.result(text === undefined ? `would remove ${path}` : `would write ${path}:\n\n${text}`);
  }
  if (changes.length === 0) output.result('would change nothing');
  return ExitStatus.up;
}

async function listTies(
  { json, quiet }: GuardValues,
  context: NodeContext,
  output: Output,
): Promise<number> {
  const ties = await readTieStatuses(context.run, readTies(), context.stateDir);
  const isWell = ties.every(({ problem }) => problem === undefined);
  const status = isWell ? ExitStatus.up : ExitStatus.notAsItShouldBe;
  if (quiet) return status;
  if (json) {
    for (const { instance, unit, problem } of ties) {
      output.result(JSON.stringify({ instance, unit, problem: problem ?? null }));
    }
    return status;
  }
  if (ties.length === 0) output.result('no unit takes an instance along');
  const width = Math.max(0, ...ties.map(({ instance }) => instance.length));
  for (const { instance, unit, problem } of ties) {
    output.result(`${instance.padEnd(width)}  ${unit}`);
    if (problem !== undefined) output.result(`  ! ${problem}`);
  }
  return status;
}

/** The ha-suspend that is installed beside this program. */
function suspendPath(): string {
  return join(dirname(realpathSync(process.argv[1] ?? '')), 'ha-suspend');
}

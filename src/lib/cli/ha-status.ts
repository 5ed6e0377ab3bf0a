import { knownInstances, selectInstances } from '../node/known-instances.ts';
import { readStatuses, type InstanceStatus } from '../node/status.ts';
import { readTies, readTieStatuses } from '../node/ties.ts';
import type { NodeContext } from '../node/node-context.ts';
import { sleep } from '../system/clock.ts';
import { StateError, SystemdError } from '../system/errors.ts';
import { ExitStatus } from '../system/exit-status.ts';
import { knownConfigurations } from '../options/configured-instances.ts';
import type { statusOptions } from './ha-options.ts';
import { nodeContext } from './node-context.ts';
import type { Values } from '../options/option.ts';
import { write, type Output } from './output.ts';
import type { Operands } from '../options/parse-arguments.ts';
import { listenForSignals } from './signals.ts';
import { isAsItShouldBe, jsonStatus, renderStatus } from './status-text.ts';

const WATCH_MS = 1000;
/** Cursor home, and clear what follows (ECMA-48 8.3.21, 8.3.39): no flicker. */
const HOME = '\u001b[H';
const CLEAR_REST = '\u001b[J';

/**
 * What is wrong with the ties of the instances to the units of their services, too. systemd is asked
 * only where there are any.
 */
async function withTies(
  statuses: readonly InstanceStatus[],
  { run, stateDir }: NodeContext,
): Promise<readonly InstanceStatus[]> {
  const names = new Set(statuses.map(({ instance }) => instance));
  try {
    const ties = readTies().filter(({ instance }) => names.has(instance));
    if (ties.length === 0) return statuses;
    const found = await readTieStatuses(run, ties, stateDir);
    return statuses.map((status) => {
      const own = found.filter(({ instance }) => instance === status.instance);
      const problems = own.flatMap(({ problem }) => problem ?? []);
      return { ...status, inconsistent: [...status.inconsistent, ...problems] };
    });
  } catch (error) {
    // Without systemd nothing depends on them.
    if (error instanceof SystemdError || error instanceof StateError) return statuses;
    throw error;
  }
}

/**
 * Shows how instances are.
 *
 * @returns 0 when all are as they should be, 1 when not; with --plugin 0, 1, 2 or 3
 */
export async function haStatus(
  values: Values<typeof statusOptions>,
  { positional }: Operands,
  output: Output,
): Promise<number> {
  const context = nodeContext(values, output);
  const look = async (): Promise<readonly InstanceStatus[]> => {
    const configurations = knownConfigurations(values['config-dir'], context.ownUid);
    const configured = configurations.map(({ instance }) => instance);
    const known = [...new Set([...knownInstances(context), ...configured])].sort();
    const names = positional.length === 0 ? known : selectInstances(positional, known);
    return withTies(await readStatuses(names, configurations, context), context);
  };
  const show = (statuses: readonly InstanceStatus[]): string =>
    values.json
      ? statuses.map((status) => `${jsonStatus(status)}\n`).join('')
      : renderStatus(statuses, values.verbose);
  if (values.plugin) {
    const { pluginStatus } = await import('./status-plugin.ts');
    const { line, exitStatus } = pluginStatus(await look());
    output.result(line);
    return exitStatus;
  }
  if (!values.watch) {
    const statuses = await look();
    if (!values.quiet) write(1, show(statuses));
    return statuses.every(isAsItShouldBe) ? ExitStatus.up : ExitStatus.notAsItShouldBe;
  }
  const signals = listenForSignals();
  const { isatty } = await import('node:tty');
  const terminal = isatty(1);
  while (!signals.signal.aborted) {
    const text = show(await look());
    write(1, terminal ? `${HOME}${text.replaceAll('\n', '\u001b[K\n')}${CLEAR_REST}` : text);
    await sleep(WATCH_MS, signals.signal);
  }
  return ExitStatus.up; // watching ends by being interrupted
}

import { rmdirSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { readSuspensions } from '../pass/read-suspensions.ts';
import { writeFileAtomically } from '../system/atomic-file.ts';
import { errnoOf, messageOf, PermissionError, StateError, SystemdError } from '../system/errors.ts';
import type { Login } from '../system/login.ts';
import { makeFolders } from '../system/make-folders.ts';
import { onlyValue, readUnits, systemctl, type UnitProperties } from '../system/service-units.ts';
import {
  guardDropIn,
  guardDropInText,
  guardUnit,
  unitDropIn,
  unitDropInText,
  type Tie,
} from './guard-files.ts';
import type { NodeContext } from './node-context.ts';
import { resumeInstance } from './resume.ts';
import { readOwnText, readTies, readTieStatuses } from './ties.ts';

/** The holder of the suspension that stands while a unit is stopped. */
const GUARD_HOLDER = 'guard';

/** What is to be done to files, in order. */
export interface FileChange {
  readonly path: string;
  /** undefined: it goes. */
  readonly text: string | undefined;
}

/**
 * What ties an instance to units, beside those it is tied to already.
 *
 * @param suspend path of ha-suspend
 * @returns only what is not so yet
 */
export function planTies(
  instance: string,
  units: readonly string[],
  suspend: string,
  { stateDir }: Pick<NodeContext, 'stateDir'>,
): readonly FileChange[] {
  const all = [...new Set([...unitsOf(instance), ...units])].sort();
  const wanted = [
    ...all.map((unit) => ({
      path: unitDropIn({ instance, unit }),
      text: unitDropInText(instance, stateDir),
    })),
    { path: guardDropIn(instance), text: guardDropInText(instance, all, suspend, stateDir) },
  ];
  return wanted.filter(({ path, text }) => readOwnText(path) !== text);
}

/** What unties an instance from units, or from all of them. */
export function planRemoval(
  instance: string,
  units: readonly string[],
  suspend: string,
  { stateDir }: Pick<NodeContext, 'stateDir'>,
): readonly FileChange[] {
  const tied = unitsOf(instance);
  const left = units.length === 0 ? [] : tied.filter((unit) => !units.includes(unit));
  const removed = tied
    .filter((unit) => !left.includes(unit))
    .map((unit) => ({ path: unitDropIn({ instance, unit }), text: undefined }));
  const path = guardDropIn(instance);
  const text = left.length === 0 ? undefined : guardDropInText(instance, left, suspend, stateDir);
  return [...removed, ...(readOwnText(path) === text ? [] : [{ path, text }])];
}

function unitsOf(instance: string): readonly string[] {
  return readTies()
    .filter((tie) => tie.instance === instance)
    .map(({ unit }) => unit);
}

/**
 * The units by the names that systemd itself has for them.
 *
 * @throws SystemdError when one is not loaded, is no service, or systemd cannot be asked
 */
export async function resolveUnits(
  names: readonly string[],
  { run, log }: Pick<NodeContext, 'run' | 'log'>,
): Promise<readonly string[]> {
  const units = await readUnits(run, names, ['Id', 'LoadState', 'ExecStopPost']);
  return names.map((name, index) => {
    const unit = units[index];
    const load = onlyValue(unit, 'LoadState');
    if (load !== 'loaded') throw new SystemdError(`systemd knows no ${name} (${load})`);
    const id = onlyValue(unit, 'Id');
    if (id !== name) log.notice(`${name} is ${id}`);
    warnOfFailingStops(id, unit, log);
    return id;
  });
}

/** What stands behind a command that fails is not run: systemd.service(5), ExecStop=. */
function warnOfFailingStops(
  id: string,
  unit: UnitProperties | undefined,
  log: NodeContext['log'],
): void {
  const strict = (unit?.get('ExecStopPost') ?? []).filter((line) =>
    line.includes('ignore_errors=no'),
  );
  if (strict.length === 0) return;
  log.warning(
    `${id} has an ExecStopPost= of its own whose failure would keep ours from being run: put a '-' in front of it`,
  );
}

/**
 * Makes the changes, says which, and has systemd read its units anew.
 *
 * @throws PermissionError, StateError, SystemdError
 */
export async function makeChanges(
  changes: readonly FileChange[],
  { run, log }: Pick<NodeContext, 'run' | 'log'>,
): Promise<void> {
  for (const { path, text } of changes) {
    change(path, text);
    log.notice(`${text === undefined ? 'removed' : 'wrote'} ${path}`);
  }
  if (changes.length > 0) await systemctl(run, 'daemon-reload');
}

function change(path: string, text: string | undefined): void {
  const folder = dirname(path);
  try {
    if (text === undefined) {
      unlinkSync(path);
      removeIfEmpty(folder);
      return;
    }
    makeFolders(folder, 0o755);
    writeFileAtomically(path, 0o644, text);
  } catch (error) {
    const errno = errnoOf(error);
    const Kind = errno === 'EACCES' || errno === 'EPERM' ? PermissionError : StateError;
    throw new Kind(`${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** Others have drop-ins there, too. */
function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (errnoOf(error) !== 'ENOTEMPTY') throw error;
  }
}

/**
 * Starts the guard of an instance where one of the units runs: otherwise the next start does so.
 *
 * @returns what is wrong all the same, each in one line
 */
export async function startGuard(
  instance: string,
  units: readonly string[],
  { run, stateDir }: Pick<NodeContext, 'run' | 'stateDir'>,
): Promise<readonly string[]> {
  const states = await readUnits(run, units, ['ActiveState']);
  if (states.some((unit) => onlyValue(unit, 'ActiveState') === 'active')) {
    await systemctl(run, 'start', '--', guardUnit(instance));
  }
  const ties = units.map((unit): Tie => ({ instance, unit }));
  const statuses = await readTieStatuses(run, ties, stateDir);
  return statuses.flatMap(({ problem }) => problem ?? []);
}

/**
 * Ends the guard of an instance that no unit takes along any more. Without its drop-in the guard
 * takes nothing out when it stops; and what it suspended comes back, for nobody else would end that.
 */
export async function stopGuard(instance: string, who: Login, context: NodeContext): Promise<void> {
  if (unitsOf(instance).length > 0) return;
  await systemctl(context.run, 'stop', '--', guardUnit(instance)).catch((error: unknown) => {
    if (!(error instanceof SystemdError)) throw error; // it is not installed any more
  });
  const { active } = readSuspensions({ ...context, instance }, context.clock, context.ownUid);
  const isHeld = active.some(({ holder }) => holder === GUARD_HOLDER);
  if (isHeld) resumeInstance(instance, GUARD_HOLDER, who, context);
}

import { join } from 'node:path';
import { namesIn } from '../state/state-folder.ts';
import type { RunCommand } from '../system/command.ts';
import { readBounded } from '../system/read-file.ts';
import { onlyValue, readUnits, type UnitProperties } from '../system/service-units.ts';
import {
  guardUnit,
  instanceOfDropIn,
  isOurs,
  unitDropIn,
  UNIT_FOLDER,
  type Tie,
} from './guard-files.ts';

/**
 * The ties of this node, by what stands in the folder of units.
 *
 * @throws StateError when it cannot be read
 */
export function readTies(): readonly Tie[] {
  const folders = namesIn(UNIT_FOLDER).filter((name) => name.endsWith('.service.d'));
  const ties = folders.flatMap((folder) => {
    const unit = folder.slice(0, -'.d'.length);
    return namesIn(join(UNIT_FOLDER, folder)).flatMap((name) => {
      const instance = instanceOfDropIn(name);
      return instance !== undefined && isOursThere({ instance, unit }) ? [{ instance, unit }] : [];
    });
  });
  const key = ({ instance, unit }: Tie): string => `${instance} ${unit}`;
  return ties.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

const MAX_BYTES = 64 * 1024;

/** The drop-in of a tie, or another text of ours; undefined: none, or somebody else's. */
export function readOwnText(path: string): string | undefined {
  try {
    const text = readBounded(path, MAX_BYTES);
    return isOurs(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

function isOursThere(tie: Tie): boolean {
  return readOwnText(unitDropIn(tie)) !== undefined;
}

/** A tie as systemd has it. */
export interface TieStatus extends Tie {
  /** Why it does not do what it is for, and what to type; undefined: it does. */
  readonly problem: string | undefined;
}

const PROPERTIES = ['Id', 'LoadState', 'ActiveState', 'ExecStopPost', 'Wants', 'NeedDaemonReload'];

/**
 * Looks at ties, with one process for all.
 *
 * @throws SystemdError
 */
export async function readTieStatuses(
  run: RunCommand,
  ties: readonly Tie[],
  stateDir: string,
): Promise<readonly TieStatus[]> {
  const names = [...new Set(ties.flatMap(({ instance, unit }) => [unit, guardUnit(instance)]))];
  const units = await readUnits(run, names, PROPERTIES);
  const known = new Map(names.map((name, index) => [name, units[index]]));
  return ties.map((tie) => ({
    ...tie,
    problem: problemOf(tie, known.get(tie.unit), known.get(guardUnit(tie.instance)), stateDir),
  }));
}

/** What is wrong with a tie. Pure. */
export function problemOf(
  { instance, unit }: Tie,
  service: UnitProperties | undefined,
  guard: UnitProperties | undefined,
  stateDir: string,
): string | undefined {
  const again = `ha-guard ${instance} --unit`;
  const remove = `ha-guard --remove ${instance} --unit ${unit}`;
  const load = onlyValue(service, 'LoadState');
  if (load !== 'loaded') return `systemd knows no ${unit} (${load}): ${remove}`;
  const id = onlyValue(service, 'Id');
  if (id !== unit) return `${unit} is ${id} by now: ${remove}, then ${again} ${id}`;
  if (onlyValue(guard, 'LoadState') !== 'loaded') {
    return `${guardUnit(instance)} is not installed: ${unit} withdraws only when it has ended`;
  }
  const stops = service?.get('ExecStopPost') ?? [];
  const isInForce =
    stops.some((line) => line.includes(` ${join(stateDir, `${instance}.withdraw`)} `)) &&
    onlyValue(service, 'Wants').split(' ').includes(guardUnit(instance));
  if (!isInForce) {
    return onlyValue(service, 'NeedDaemonReload') === 'yes'
      ? `systemd has not read the drop-in of ${unit}: systemctl daemon-reload`
      : `another drop-in undoes that of ${unit}: systemctl cat ${unit}`;
  }
  const isActive = onlyValue(service, 'ActiveState') === 'active';
  if (isActive && onlyValue(guard, 'ActiveState') !== 'active') {
    return `a stop of ${unit} takes nothing along: systemctl start ${guardUnit(instance)}`;
  }
  return undefined;
}

import { join } from 'node:path';
import { checkFolder, instancePaths } from '../state/state-folder.ts';
import type { ActiveSuspension } from '../state/suspension-record.ts';
import { mayAdvertise } from '../state/suspension-rules.ts';
import { activeSuspensions } from '../state/suspensions.ts';
import type { Clock, Moment } from '../system/clock.ts';
import { formatDuration } from '../system/duration.ts';
import { PermissionError, StateError } from '../system/errors.ts';
import type { PassOptions } from './ports.ts';

/** The suspensions of an instance in this moment, or why they cannot be told. */
export interface SuspensionReading {
  readonly active: readonly ActiveSuspension[];
  readonly error: StateError | PermissionError | undefined;
}

/** Where suspensions are kept: beside the state, and where they survive a reboot. */
export function suspensionFolders(
  options: Pick<PassOptions, 'stateDir' | 'persistDir'>,
): readonly [state: string, persistent: string] {
  return [instancePaths(options.stateDir, '').suspensions, join(options.persistDir, 'suspensions')];
}

export function readSuspensions(
  options: Pick<PassOptions, 'instance' | 'stateDir' | 'persistDir'>,
  clock: Clock,
  ownUid: number,
): SuspensionReading {
  try {
    checkFolder(options.persistDir, ownUid);
    const active = activeSuspensions(suspensionFolders(options), options.instance, clock.now());
    return { active, error: undefined };
  } catch (error) {
    if (!(error instanceof StateError || error instanceof PermissionError)) throw error;
    return { active: [], error };
  }
}

/** When a suspension was written and by whom, in words: ` since 14:03:22 (2h ago) by alice`. */
export function describeWriter(
  { login, sinceWallMs }: ActiveSuspension,
  { wallMs }: Pick<Moment, 'wallMs'>,
): string {
  const who = login === undefined ? '' : ` by ${login}`;
  if (sinceWallMs === undefined) return who;
  const agoMs = Math.max(0, wallMs - sinceWallMs);
  return ` since ${clockTime(sinceWallMs, wallMs)} (${formatDuration(agoMs)} ago)${who}`;
}

/** The local time of day, with the date where that is another one. */
function clockTime(thenMs: number, nowMs: number): string {
  const [then, now] = [new Date(thenMs), new Date(nowMs)];
  const two = (part: number): string => String(part).padStart(2, '0');
  const time = [then.getHours(), then.getMinutes(), then.getSeconds()].map(two).join(':');
  if (then.toDateString() === now.toDateString()) return time;
  return `${then.getFullYear()}-${two(then.getMonth() + 1)}-${two(then.getDate())} ${time}`;
}

/** A suspension's holder and reason, for a message. */
export function describeSuspension({ holder, reason }: ActiveSuspension): string {
  return reason === '' ? holder : `${holder} (${reason})`;
}

/** Looks at the suspensions again in the course of a pass. */
export interface SuspensionWatch {
  /** Whether nothing may be added in this moment; also true when that cannot be told. */
  readonly isSuspended: () => boolean;
  /** Why it could not be told, if ever. */
  readonly trouble: () => SuspensionReading['error'];
}

export function watchSuspensions(
  options: Pick<PassOptions, 'instance' | 'stateDir' | 'persistDir'>,
  clock: Clock,
  ownUid: number,
): SuspensionWatch {
  let trouble: SuspensionReading['error'];
  return {
    isSuspended: () => {
      const { active, error } = readSuspensions(options, clock, ownUid);
      trouble ??= error;
      return !mayAdvertise(active) || error !== undefined;
    },
    trouble: () => trouble,
  };
}

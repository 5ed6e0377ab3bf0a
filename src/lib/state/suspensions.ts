import { unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { createFileAtomically, syncFolder, writeFileAtomically } from '../system/atomic-file.ts';
import { bootOf, type Moment } from '../system/clock.ts';
import { BusyError, errnoOf, messageOf, PermissionError, StateError } from '../system/errors.ts';
import type { Login } from '../system/login.ts';
import { makeFolders } from '../system/make-folders.ts';
import type { ProcessIdentity } from '../system/process-identity.ts';
import { randomHex } from '../system/random.ts';
import { namesIn } from './state-folder.ts';
import {
  activeAt,
  MAX_REASON,
  readSuspension,
  type ActiveSuspension,
  type Suspension,
} from './suspension-record.ts';
import { isEndedBy, type Standing } from './suspension-rules.ts';

/**
 * Suspensions: one file per instance and holder, `INSTANCE@HOLDER.json`, in STATE-DIR/suspensions
 * or, when it has to survive a reboot, in PERSIST-DIR. They are written without the instance's
 * lock, so that a suspension never waits for a pass: passes read them just before and just after
 * they add an address.
 */
const SUFFIX = '.json';

export interface NewSuspension {
  readonly instance: string;
  readonly holder: string;
  readonly reason: string;
  /** undefined: until it is resumed. */
  readonly forMs: number | undefined;
  readonly acrossReboot: boolean;
  readonly processes: readonly ProcessIdentity[] | undefined;
  readonly who?: Login | undefined;
  /** Tells it from others; one of its own if not given. */
  readonly id?: string;
  /** Nobody else's file is written over: it must not be there. */
  readonly exclusive?: boolean;
}

/** How long a writer vouches for its processes; it says so anew long before that is over. */
export const VOUCH_MS = 60_000;

/**
 * Writes a suspension, in place of the holder's former one.
 *
 * @param folder where: the suspensions folder of the state, or the persistent one
 * @returns what was written
 * @throws BusyError where it must not write over one that is there
 * @throws StateError or PermissionError when it cannot be written: then nothing is suspended
 */
export function writeSuspension(folder: string, request: NewSuspension, now: Moment): Suspension {
  const suspension: Suspension = {
    version: 1,
    id: request.id ?? randomHex(8),
    reason: request.reason.slice(0, MAX_REASON),
    sinceWallMs: now.wallMs,
    bootId: bootOf(now),
    untilBootMs: request.forMs === undefined ? null : now.bootMs + request.forMs,
    untilWallMs: request.forMs === undefined ? null : now.wallMs + request.forMs,
    acrossReboot: request.acrossReboot,
    processes: request.processes === undefined ? null : [...request.processes],
    vouchedUntilBootMs: request.processes === undefined ? null : now.bootMs + VOUCH_MS,
    login: request.who?.login ?? null,
    uid: request.who?.uid ?? null,
  };
  const { instance, holder, exclusive = false } = request;
  putSuspension(folder, instance, holder, suspension, exclusive);
  return suspension;
}

/**
 * Writes a suspension anew that counts as the same one: its end stays what it was.
 *
 * @throws StateError, PermissionError; BusyError where another one has taken its place
 */
export function rewriteSuspension(
  folder: string,
  instance: string,
  holder: string,
  suspension: Suspension,
): void {
  putSuspension(folder, instance, holder, suspension, false);
}

function putSuspension(
  folder: string,
  instance: string,
  holder: string,
  suspension: Suspension,
  exclusive: boolean,
): void {
  const path = suspensionPath(folder, instance, holder);
  const text = `${JSON.stringify(suspension)}\n`;
  try {
    makeFolders(folder, 0o755);
    if (exclusive) createFileAtomically(path, 0o644, text);
    else writeFileAtomically(path, 0o644, text);
    if (suspension.acrossReboot) syncFolder(folder);
  } catch (error) {
    if (exclusive && errnoOf(error) === 'EEXIST') {
      throw new BusyError(`${instance}: somebody else suspends it as '${holder}' in this moment`);
    }
    throw notPermittedOr(error, 'cannot write the suspension');
  }
}

/** What stands under a holder's name, in force or not; undefined: nothing. Throws StateError. */
export function standingSuspension(
  folder: string,
  instance: string,
  holder: string,
  now: Moment,
): (Standing & { readonly active: ActiveSuspension | undefined }) | undefined {
  const found = readSuspension(suspensionPath(folder, instance, holder));
  if (found === undefined) return undefined;
  const active = activeAt(found, holder, now);
  return {
    id: found === 'unreadable' ? '' : found.id,
    inForce: active !== undefined,
    login: found === 'unreadable' ? undefined : (found.login ?? undefined),
    active,
  };
}

/** Another user's folder is no fault of the disk: it wants another user. */
function notPermittedOr(error: unknown, what: string): StateError | PermissionError {
  const errno = errnoOf(error);
  return errno === 'EACCES' || errno === 'EPERM'
    ? new PermissionError(`${what}: no permission (run it as root)`, { cause: error })
    : new StateError(`${what}: ${messageOf(error)}`, { cause: error });
}

/**
 * Ends a holder's suspension.
 *
 * @param id only that one: another that has taken its place stays
 * @returns whether there was one
 * @throws StateError, PermissionError
 */
export function removeSuspension(
  folder: string,
  instance: string,
  holder: string,
  id?: string,
): boolean {
  if (id !== undefined) {
    const found = readSuspension(suspensionPath(folder, instance, holder));
    if (found === undefined || found === 'unreadable') return false;
    if (!isEndedBy({ holder, id: found.id }, { kind: 'writer', id })) return false;
  }
  try {
    unlinkSync(suspensionPath(folder, instance, holder));
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw notPermittedOr(error, 'cannot end the suspension');
  }
}

/**
 * The suspensions of an instance that are in force.
 *
 * @param folders where suspensions are kept; those that do not exist hold none
 * @throws StateError when a folder cannot be read: then nobody may add an address, but a working
 *   service is not withdrawn for it either
 */
export function activeSuspensions(
  folders: readonly string[],
  instance: string,
  now: Moment,
): readonly ActiveSuspension[] {
  return folders.flatMap((folder) =>
    holdersIn(folder, instance).flatMap((holder) => {
      const found = readSuspension(suspensionPath(folder, instance, holder));
      return found === undefined ? [] : (activeAt(found, holder, now) ?? []);
    }),
  );
}

/** The instances that have a suspension file, in force or not. Throws StateError. */
export function suspendedInstances(folders: readonly string[]): readonly string[] {
  const names = folders.flatMap(suspensionsIn);
  return [...new Set(names.map((name) => name.slice(0, name.indexOf('@'))))];
}

function suspensionPath(folder: string, instance: string, holder: string): string {
  return join(folder, `${instance}@${holder}${SUFFIX}`);
}

function suspensionsIn(folder: string): readonly string[] {
  return namesIn(folder).filter((name) => name.includes('@') && name.endsWith(SUFFIX));
}

function holdersIn(folder: string, instance: string): readonly string[] {
  const prefix = `${instance}@`;
  return suspensionsIn(folder)
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length, -SUFFIX.length));
}

import { unlinkSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { createFileAtomically, syncFolder, writeFileAtomically } from '../system/atomic-file.ts';
import { readBounded } from '../system/bounded-read.ts';
import { bootOf, type Moment } from '../system/clock.ts';
import { BusyError, errnoOf, messageOf, PermissionError, StateError } from '../system/errors.ts';
import type { Login } from '../system/login.ts';
import { makeFolders } from '../system/make-folders.ts';
import { livenessOf, type ProcessIdentity } from '../system/process-identity.ts';
import { randomHex } from '../system/random.ts';
import { namesIn } from './names-in.ts';
import type { Standing } from './suspension-rules.ts';

/**
 * Suspensions: one file per instance and holder, `INSTANCE@HOLDER.json`, in STATE-DIR/suspensions
 * or, when it has to survive a reboot, in PERSIST-DIR. They are written without the instance's
 * lock, so that a suspension never waits for a pass: passes read them just before and just after
 * they add an address.
 */
const MAX_REASON = 1024;
const time = v.pipe(v.number(), v.safeInteger());
const Process = v.object({
  pid: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  startTicks: v.pipe(v.number(), v.safeInteger()),
  bootId: v.string(),
  pidNamespace: v.string(),
});
const Suspension = v.object({
  version: v.literal(1),
  /** Tells this suspension from an earlier one of the same holder. */
  id: v.pipe(v.string(), v.maxLength(64)),
  reason: v.pipe(v.string(), v.maxLength(MAX_REASON)),
  sinceWallMs: time,
  bootId: v.string(),
  /** End on the clock since boot: it holds within the boot it was made in. */
  untilBootMs: v.nullable(time),
  /** The same end on the wall clock: it holds after a reboot. */
  untilWallMs: v.nullable(time),
  /** Survives a reboot. */
  acrossReboot: v.boolean(),
  /**
   * The processes of `ha-suspend INSTANCE -- COMMAND`: the suspension ends when all are gone, so
   * that a kill -9 cannot leave a node out for good.
   */
  processes: v.nullable(v.array(Process)),
  /**
   * Until when, on the clock since boot, its writer vouches for the processes, where they cannot be
   * seen from here (a container's). null: they are not bound to any, or 0.1.0 wrote it.
   */
  vouchedUntilBootMs: v.optional(v.nullable(time), null),
  /** Who wrote it; null: 0.1.0 did not say. */
  login: v.optional(v.nullable(v.pipe(v.string(), v.maxLength(256))), null),
  uid: v.optional(v.nullable(time), null),
});
export type Suspension = v.InferOutput<typeof Suspension>;

/** A suspension that is in force, with what people want to know of it. */
export interface ActiveSuspension {
  readonly holder: string;
  readonly id: string;
  readonly reason: string;
  readonly sinceWallMs: number | undefined;
  /** How long it still lasts, in milliseconds; undefined for no end. */
  readonly leftMs: number | undefined;
  readonly acrossReboot: boolean;
  /** The file could not be read: then it counts as a suspension without end. */
  readonly unreadable: boolean;
  /** Belongs to a running `ha-suspend … -- COMMAND`. */
  readonly boundToProcess: boolean;
  /** Who wrote it, where that is known. */
  readonly login: string | undefined;
}

const MAX_BYTES = 16 * 1024;
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

/** A vouched time that is over by this is not believed any more. */
const OVERDUE_MS = 10_000;

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
    if (found === undefined || found === 'unreadable' || found.id !== id) return false;
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

function activeAt(
  found: Suspension | 'unreadable',
  holder: string,
  now: Moment,
): ActiveSuspension | undefined {
  if (found === 'unreadable') {
    return {
      holder,
      id: `unreadable@${holder}`,
      reason: 'its file cannot be read',
      sinceWallMs: undefined,
      leftMs: undefined,
      acrossReboot: false,
      unreadable: true,
      boundToProcess: false,
      login: undefined,
    };
  }
  const sameBoot = found.bootId === bootOf(now);
  if (!sameBoot && !found.acrossReboot) return undefined;
  const leftMs = timeLeft(found, sameBoot, now);
  if (leftMs !== undefined && leftMs <= 0) return undefined;
  if (found.processes !== null && areGone(found.processes, found.vouchedUntilBootMs, now)) {
    return undefined;
  }
  return {
    holder,
    id: found.id,
    reason: found.reason,
    sinceWallMs: found.sinceWallMs,
    leftMs,
    acrossReboot: found.acrossReboot,
    unreadable: false,
    boundToProcess: found.processes !== null,
    login: found.login ?? undefined,
  };
}

/**
 * Whether all processes are dead. Those that cannot be seen from here (a container's, which may be
 * gone with them) count as dead once nobody vouches for them any more.
 */
function areGone(
  processes: readonly ProcessIdentity[],
  vouchedUntilMs: number | null,
  now: Moment,
): boolean {
  const livenesses = processes.map(livenessOf);
  if (livenesses.includes('alive')) return false;
  if (!livenesses.includes('unknowable')) return true;
  return vouchedUntilMs !== null && now.bootMs > vouchedUntilMs + OVERDUE_MS;
}

function timeLeft(found: Suspension, sameBoot: boolean, now: Moment): number | undefined {
  if (sameBoot) return found.untilBootMs === null ? undefined : found.untilBootMs - now.bootMs;
  return found.untilWallMs === null ? undefined : found.untilWallMs - now.wallMs;
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

/** Errors that say something of us, not of the file: they must not make a suspension. */
const OWN_FAULTS = ['EMFILE', 'ENFILE', 'ENOMEM'];

function readSuspension(path: string): Suspension | 'unreadable' | undefined {
  let json: unknown;
  try {
    json = JSON.parse(readBounded(path, MAX_BYTES));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return undefined; // resumed in this moment
    if (errno !== undefined && OWN_FAULTS.includes(errno)) {
      throw new StateError(`cannot read the suspensions: ${messageOf(error)}`, { cause: error });
    }
    return 'unreadable';
  }
  const result = v.safeParse(Suspension, json);
  return result.success ? result.output : 'unreadable';
}

import * as v from 'valibot';
import { bootOf, type Moment } from '../system/clock.ts';
import { errnoOf, messageOf, StateError } from '../system/errors.ts';
import { livenessOf, type ProcessIdentity } from '../system/process-identity.ts';
import { readBounded } from '../system/read-file.ts';

/** Longer ones are cut. */
export const MAX_REASON = 1024;
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

/** A vouched time that is over by this is not believed any more. */
const OVERDUE_MS = 10_000;

/** A suspension as it is in force at a moment; undefined: it is over. Throws StateError. */
export function activeAt(
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

/** Errors that say something of us, not of the file: they must not make a suspension. */
const OWN_FAULTS = ['EMFILE', 'ENFILE', 'ENOMEM'];

/** Reads a suspension's file; undefined: there is none. Throws StateError for a lack of ours. */
export function readSuspension(path: string): Suspension | 'unreadable' | undefined {
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

import type { Verdict } from '../probe/probe.ts';
import { type Health, initialHealth } from '../state/instance-state.ts';
import { usableState, type StateReading } from '../state/state-file.ts';
import { mayAdvertise } from '../state/suspension-rules.ts';
import type { Moment } from '../system/clock.ts';

/** What bears on the decision, all spans in milliseconds. */
export interface DecisionOptions {
  /** Successes in a row that it takes to go up. */
  readonly rise: number;
  /** Failures in a row that it takes to go down. */
  readonly fall: number;
  /** How long it stays down at least after it went down; doubles with each flap. */
  readonly holdDownMs: number;
  /** The longest that doubling makes it, and the quiet time after which flaps are forgotten. */
  readonly holdDownMaxMs: number;
}

export type VerdictStatus = 'up' | 'down' | 'unknown';

/**
 * Hysteresis and hold-down (compare route flap damping, RFC 2439): the next health from the last
 * one and the verdict of this pass.
 *
 * @param nowMs on a clock that counts on within a boot; one that jumps all the same can cut a
 *   hold-down short or prolong it, but never beyond `holdDownMaxMs` from now
 */
export function nextHealth(
  health: Health,
  status: VerdictStatus,
  options: DecisionOptions,
  nowMs: number,
): Health {
  switch (status) {
    case 'unknown':
      return health;
    case 'up':
      return afterSuccess(health, options, nowMs);
    case 'down':
      return afterFailure(health, options, nowMs);
  }
}

function afterSuccess(health: Health, options: DecisionOptions, nowMs: number): Health {
  const { rise } = options;
  const next = { ...health, successes: Math.min(health.successes + 1, rise), failures: 0 };
  if (health.status === 'up' || next.successes < rise) return next;
  if (holdDownLeft(health, options, nowMs) > 0) return next;
  return { ...next, status: 'up', changedAtMs: nowMs };
}

/** How long the hold-down still lasts, in milliseconds; 0 when there is none. */
export function holdDownLeft(
  health: Health,
  { holdDownMaxMs }: Pick<DecisionOptions, 'holdDownMaxMs'>,
  nowMs: number,
): number {
  const leftMs = health.holdUntilMs - nowMs;
  // More than the longest hold-down was never decided (or under a longer limit): it does not bind.
  return health.status === 'up' || leftMs > holdDownMaxMs ? 0 : Math.max(0, leftMs);
}

function afterFailure(
  health: Health,
  { fall, holdDownMs, holdDownMaxMs }: DecisionOptions,
  nowMs: number,
): Health {
  const next = { ...health, successes: 0, failures: Math.min(health.failures + 1, fall) };
  if (health.status === 'down' || next.failures < fall) return next;
  const wasQuiet = nowMs - health.changedAtMs >= holdDownMaxMs;
  const flaps = wasQuiet ? 0 : health.flaps;
  return {
    ...next,
    status: 'down',
    changedAtMs: nowMs,
    flaps: Math.min(flaps + 1, MOST_FLAPS),
    holdUntilMs: nowMs + holdDownAfter(flaps, holdDownMs, holdDownMaxMs),
  };
}

/** Behind so many doublings any hold-down has reached its maximum: counting stops. */
const MOST_FLAPS = 40;

/** The hold-down of a flap that `earlierFlaps` others preceded without a quiet time between. */
function holdDownAfter(earlierFlaps: number, holdDownMs: number, holdDownMaxMs: number): number {
  return Math.min(holdDownMs * 2 ** Math.min(earlierFlaps, MOST_FLAPS), holdDownMaxMs);
}

/**
 * The health of an instance that is taken out on purpose: down, nothing counted, so that what
 * counts for its return is what passes see from now on. The hold-down is not for planned work.
 */
export function healthAfterWithdrawal(health: Health, nowMs: number): Health {
  return {
    ...health,
    status: 'down',
    successes: 0,
    failures: 0,
    changedAtMs: health.status === 'up' ? nowMs : health.changedAtMs,
  };
}

/**
 * The health of an instance whose service ended while it was advertised: down at once, nothing
 * counted, and one flap. A service that dies over and over meets the hold-down; one that was taken
 * out before it was stopped does not.
 */
function healthAfterFlap(health: Health, nowMs: number, options: DecisionOptions): Health {
  const next = afterFailure(health, { ...options, fall: 1 }, nowMs);
  return { ...next, failures: 0 };
}

/** What is known of the suspensions of an instance. */
export type SuspensionView =
  | { readonly known: true; readonly ids: readonly string[] }
  /** They cannot be read: nothing may be added, and nothing is withdrawn for it. */
  | { readonly known: false };

export interface Decision {
  readonly health: Health;
  readonly advertise: boolean;
  /** Only a pass that saw the service work adds or renews. */
  readonly mayAdd: boolean;
  readonly suspensionIds: readonly string[];
}

export interface Circumstances {
  readonly reading: StateReading;
  readonly verdict: Verdict;
  readonly suspensions: SuspensionView;
  /** Lock or state cannot be written: one failure is enough, and nothing is added. */
  readonly degraded: boolean;
  /** Whether the service's unit ended since the last pass: systemd withdrew it then. */
  readonly hasEnded: boolean;
  /** Whether the kernel shows one of the service addresses. */
  readonly present: boolean;
  /** Whether an address would be gone before the next pass comes. */
  readonly leaseTooShort: boolean;
  readonly options: DecisionOptions;
  readonly now: Moment;
}

/** What a pass makes of all it knows. Pure. */
export function decide(known: Circumstances): Decision {
  const { verdict, degraded, options, now } = known;
  const state = usableState(known.reading);
  const former = state?.suspensionIds ?? [];
  const suspensionIds = known.suspensions.known ? known.suspensions.ids : former;
  const suspendedAnew = suspensionIds.some((id) => !former.includes(id));
  // Without a state, what the kernel shows is what was decided: losing it must not flap a service.
  // So it is where the state is older than its lease, and the addresses are there all the same.
  const { reading } = known;
  const isAged = reading.kind === 'gap' && reading.aged !== undefined;
  const kept = isAged && known.present ? reading.stale?.health : undefined;
  const before = kept ?? state?.health ?? initialHealth(known.present ? 'up' : 'down', now);
  const wasOut = state?.advertising === false;
  const ended = wasOut ? healthAfterWithdrawal : healthAfterFlap;
  const living = known.hasEnded ? ended(before, now.bootMs, options) : before;
  const base = suspendedAnew ? healthAfterWithdrawal(living, now.bootMs) : living;
  const effective = degraded ? { ...options, fall: 1 } : options;
  const health = nextHealth(base, verdict.status, effective, now.bootMs);
  return {
    health,
    advertise: health.status === 'up' && mayAdvertise(suspensionIds),
    mayAdd: verdict.status === 'up' && !degraded && known.suspensions.known && !known.leaseTooShort,
    suspensionIds,
  };
}

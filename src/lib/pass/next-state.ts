import { type InstanceState, type ServiceAddress, initialHealth } from '../state/instance-state.ts';
import type { Moment } from '../system/clock.ts';
import type { Outcome } from './facts.ts';
import { preparesDrain } from './plan-drains.ts';
import { estimateInterval } from './lease.ts';
import { passDeadlineMs } from './ports.ts';

/** The state that a pass leaves behind. Pure. */
export function nextState(outcome: Outcome): InstanceState {
  const { options, before, decision, verdict, now } = outcome;
  const advertising = isAdvertising(outcome);
  const changed = advertising !== outcome.wasAdvertising;
  return {
    version: 1,
    instance: options.instance,
    bootId: now.bootId,
    source: options.source,
    kind: outcome.kind,
    places: [...options.places, ...outcome.leftOver],
    health: decision.health,
    advertising,
    advertisingChangedAtMs:
      changed || before === undefined ? now.bootMs : before.advertisingChangedAtMs,
    transitions: (before?.transitions ?? 0) + (changed ? 1 : 0),
    leaseFromMs: advertising ? outcome.leaseFromMs : null,
    prefixRoutes: outcome.leaseFromMs !== null,
    leaseMs: options.leaseMs ?? null,
    lastPass: {
      atMs: now.bootMs,
      wallMs: now.wallMs,
      status: verdict.status,
      reason: verdict.status === 'up' ? null : verdict.reason,
      detail: verdict.detail.slice(0, MAX_DETAIL),
      durationMs: outcome.durationMs,
    },
    intervalMs: nextInterval(before, now),
    deadlineMs: passDeadlineMs(options),
    fall: options.fall,
    rise: options.rise,
    suspensionIds: [...decision.suspensionIds],
    drain: outcome.drain,
    drainMs: options.drainMs,
    drainInterface: preparesDrain(outcome)
      ? (options.drainInterface ?? '')
      : (before?.drainInterface ?? null),
    serviceEnd: outcome.service.id,
    warned: [...outcome.warned],
  };
}

/** What the kernel shows is what the network is told. */
export function isAdvertising({ options, present }: Pick<Outcome, 'options' | 'present'>): boolean {
  return options.places.some(({ address }) => present.has(address));
}

const MAX_DETAIL = 500;

/**
 * An interval that both the former passes and this one bear out: a single long gap is a pause, of a
 * timer that was stopped or a machine that slept. null: not known yet.
 */
export function certainInterval(before: InstanceState | undefined, now: Moment): number | null {
  if (before === undefined || before.lastPass === null || before.intervalMs === null) return null;
  return Math.min(before.intervalMs, Math.max(0, now.bootMs - before.lastPass.atMs));
}

function nextInterval(before: InstanceState | undefined, now: Moment): number | null {
  const lastMs = before?.lastPass?.atMs;
  if (lastMs === undefined) return before?.intervalMs ?? null;
  return estimateInterval(before?.intervalMs ?? null, Math.max(0, now.bootMs - lastMs));
}

/** The state of an instance of which nothing is known but its places and what the kernel shows. */
export function blankState(
  known: Pick<InstanceState, 'instance' | 'source' | 'kind'> & {
    readonly places: readonly ServiceAddress[];
  },
  present: boolean,
  now: Moment,
): InstanceState {
  return {
    version: 1,
    instance: known.instance,
    bootId: now.bootId,
    source: known.source,
    kind: known.kind,
    places: [...known.places],
    health: initialHealth(present ? 'up' : 'down', now),
    advertising: present,
    advertisingChangedAtMs: now.bootMs,
    transitions: 0,
    leaseFromMs: null,
    prefixRoutes: false,
    leaseMs: null,
    lastPass: null,
    intervalMs: null,
    deadlineMs: 0,
    fall: 1,
    rise: 1,
    suspensionIds: [],
    drain: null,
    drainMs: null,
    drainInterface: null,
    serviceEnd: null,
    warned: [],
  };
}

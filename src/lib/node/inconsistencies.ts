import { placeLabel } from '../advertise/advertiser.ts';
import { gapMessage } from '../pass/report.ts';
import type { InstanceState } from '../state/instance-state.ts';
import { formatDuration } from '../system/duration.ts';
import type { InstanceStatus } from './status.ts';

/** A pass this late means that its timer is dead, not that it is slow. */
const LATE_INTERVALS = 3;
const LEEWAY_MS = 5000;

/** What does not fit together in an instance's status: what an operator has to look at. Pure. */
export function inconsistencies(status: Omit<InstanceStatus, 'inconsistent'>): readonly string[] {
  const { state, gap, suspensions } = status;
  const found: string[] = [];
  // One that is suspended before its first pass is as somebody wants it.
  const isAwaited = gap === 'missing' && suspensions.length > 0;
  if (gap !== undefined && !isAwaited) found.push(gapMessage(gap).split(':')[0] ?? '');
  for (const { holder } of suspensions.filter(({ unreadable }) => unreadable)) {
    found.push(`the suspension by ${holder} cannot be read: it counts`);
  }
  if (state === undefined) return found;
  return [
    ...found,
    ...latePass(state, status),
    ...misplaced(state, status),
    ...lateDrain(state, status),
  ];
}

/** Whether passes came, and come no more. */
export function isLate(state: InstanceState, now: InstanceStatus['now']): boolean {
  return latePass(state, { now }).length > 0;
}

function latePass(state: InstanceState, { now }: Pick<InstanceStatus, 'now'>): readonly string[] {
  if (state.lastPass === null) return [];
  const ageMs = now.bootMs - state.lastPass.atMs;
  const limitMs = LATE_INTERVALS * (state.intervalMs ?? 0) + state.deadlineMs + LEEWAY_MS;
  if (state.intervalMs === null || ageMs <= limitMs) return [];
  return [
    `no pass for ${formatDuration(ageMs)}, although one came every ${formatDuration(state.intervalMs)}`,
  ];
}

function misplaced(
  state: InstanceState,
  { places, suspensions, leaseLeftMs }: Omit<InstanceStatus, 'inconsistent'>,
): readonly string[] {
  const wanted = state.health.status === 'up' && suspensions.length === 0;
  if (!wanted) {
    const why = suspensions.length > 0 ? 'suspended' : 'down';
    return places
      .filter(({ present }) => present)
      .map((place) => `${placeLabel(place)} is present although it is ${why}`);
  }
  if (isComingBack(state, suspensions)) return [];
  const why = leaseLeftMs === 0 ? ', its lease ran out' : '';
  return places
    .filter(({ present }) => !present && state.lastPass?.status === 'up')
    .map((place) => `${placeLabel(place)} is absent although it is up${why}`);
}

/**
 * Whether the last pass still saw a suspension that has ended since: the next one puts the addresses
 * back, and whether it comes is looked at elsewhere.
 */
export function isComingBack(
  state: InstanceState,
  suspensions: InstanceStatus['suspensions'],
): boolean {
  return suspensions.length === 0 && state.suspensionIds.length > 0;
}

function lateDrain(state: InstanceState, { now }: Pick<InstanceStatus, 'now'>): readonly string[] {
  if (state.drain === null || now.bootMs <= state.drain.untilMs + LEEWAY_MS) return [];
  return [`the drain of ${state.drain.addresses.join(', ')} is over, but not cleaned up`];
}

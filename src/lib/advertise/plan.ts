import type { InstanceState, Place } from '../state/instance-state.ts';
import { placeLabel, type Change, type KernelView } from './advertiser.ts';

/** What a pass wants of the kernel, and what it is allowed to do for it. */
export interface Desire {
  /** Whether the places should be there. */
  readonly advertise: boolean;
  /** Only a pass that saw the service work adds or renews; every pass may remove. */
  readonly mayAdd: boolean;
  /** Whether the lease is due to be renewed. */
  readonly renew: boolean;
}

/**
 * The changes that lead from what the kernel shows to what is desired; none where they agree.
 *
 * @param places the instance's places
 * @param leftOver places that are there and no longer named: they go in any case
 * @param view what the kernel shows of the instance's places
 */
export function planChanges(
  desire: Desire,
  places: readonly Place[],
  leftOver: readonly Place[],
  view: KernelView,
): readonly Change[] {
  const gone = leftOver.map((place): Change => ({ verb: 'remove', place }));
  const changes = places.flatMap((place): Change | [] => {
    const present = view.present.has(place.address);
    if (!desire.advertise) return present ? { verb: 'remove', place } : [];
    if (!desire.mayAdd) return [];
    // Somebody else advertises it: ours beside it would be for nothing, or push that one aside.
    if (!present) return view.foreign?.has(place.address) === true ? [] : { verb: 'add', place };
    const outdated = view.outdated?.has(place.address) === true;
    return desire.renew || outdated ? { verb: 'renew', place } : [];
  });
  return [...gone, ...changes];
}

/**
 * When the leases that the kernel counts down began, on the clock since boot. One of another
 * length than now wanted counts as unknown, so that it is set anew before it runs out; so does one
 * of 0.1.0, whose IPv6 addresses FRR 10 does not announce, and of an address that was not the
 * instance's own until now.
 */
export function leaseStart(
  state: InstanceState | undefined,
  leaseMs: number | undefined,
  places: readonly Place[],
): number | null {
  if (state?.prefixRoutes !== true) return null;
  const had = new Set(state.places.map(placeLabel));
  if (!places.every((place) => had.has(placeLabel(place)))) return null;
  return state.leaseMs === (leaseMs ?? null) ? state.leaseFromMs : null;
}

/** Whether half of the lease is spent, on the clock since boot. */
export function leaseIsDue(
  leaseFromMs: number | null,
  leaseMs: number | undefined,
  nowMs: number,
): boolean {
  // Unknown since when: it is set anew, and known from then on.
  if (leaseFromMs === null || nowMs < leaseFromMs) return true;
  return leaseMs !== undefined && nowMs - leaseFromMs >= leaseMs / 2;
}

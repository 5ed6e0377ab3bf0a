import {
  type Advertiser,
  type Change,
  type KernelView,
  placeLabel,
} from '../advertise/advertiser.ts';
import { unknown, type Verdict } from '../probe/probe.ts';
import type { Place, InstanceState } from '../state/instance-state.ts';
import type { Moment } from '../system/clock.ts';
import { assess, usableState, type Assessment } from './decide.ts';
import { changesForDrains } from './drain.ts';
import { isLeaseTooShort } from './lease.ts';
import { certainInterval } from './next-state.ts';
import type { PassOptions, PassPorts } from './ports.ts';
import { readSuspensions, type SuspensionReading } from './read-suspensions.ts';
import type { Session } from './session.ts';

/** What a pass knows once the probe has answered, and what it is going to change. */
export interface Examination {
  readonly verdict: Verdict;
  readonly view: KernelView;
  readonly suspended: SuspensionReading;
  readonly assessment: Assessment;
  readonly changes: readonly Change[];
  /** Whether the changes set every lease anew. */
  readonly renews: boolean;
  readonly now: Moment;
}

/**
 * Looks at kernel, suspensions and state, and plans. Changes nothing.
 *
 * @param probed what the probe said
 * @param dropped places that the configuration does not name any more
 * @throws KernelError when the kernel cannot be read
 */
export async function examine(
  session: Session,
  probed: Verdict,
  dropped: readonly Place[],
  options: PassOptions,
  ports: PassPorts,
): Promise<Examination> {
  const { places, leaseMs } = options;
  const view = await ports.advertiser.read(places);
  const leftOver = await placesThere(ports.advertiser, dropped);
  // Without its interface the node can neither advertise nor judge: that is not the service's fault.
  const verdict = view.obstacle === undefined ? probed : unknown('no-interface', view.obstacle);
  const now = ports.clock.now();
  const suspended = readSuspensions(options, ports.clock, ports.ownUid);
  const assessment = assess({
    reading: session.reading,
    verdict,
    suspensions:
      suspended.error === undefined
        ? { known: true, ids: suspended.active.map(({ id }) => id) }
        : { known: false },
    degraded: session.degraded !== undefined,
    present: places.some(({ address }) => view.present.has(address)),
    leaseTooShort: isLeaseTooShort(options, certainInterval(usableState(session.reading), now)),
    options,
    now,
  });
  const { advertise, mayAdd } = assessment;
  const returns = advertise && mayAdd;
  const began = leaseStart(usableState(session.reading), leaseMs, places);
  const renew = leaseIsDue(began, leaseMs, now.bootMs);
  const planned = planChanges({ advertise, mayAdd, renew }, places, leftOver, view);
  const drains = await changesForDrains(session, options, ports, returns, now);
  return {
    verdict,
    view,
    suspended,
    assessment,
    changes: [...planned, ...drains],
    renews: renew && returns,
    now,
  };
}

/**
 * Those of the places that the kernel shows. Read apart from an instance's own: a view tells
 * addresses only, and the same one may have moved from one interface to another.
 */
export async function placesThere(
  advertiser: Pick<Advertiser, 'read'>,
  places: readonly Place[],
): Promise<readonly Place[]> {
  if (places.length === 0) return [];
  const { present } = await advertiser.read(places);
  return places.filter(({ address }) => present.has(address));
}

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

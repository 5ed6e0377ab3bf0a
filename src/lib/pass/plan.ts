import type { Change, KernelView } from '../advertise/advertiser.ts';
import type { ServiceAddress } from '../state/instance-state.ts';
import { decide } from './decide.ts';
import { drainAddress } from './drain.ts';
import { changesForDrains } from './plan-drains.ts';
import type { Facts, Plan } from './facts.ts';
import { isLeaseTooShort, leaseIsDue, leaseStart } from './lease.ts';
import { certainInterval } from './next-state.ts';
import type { PassPorts } from './ports.ts';

/**
 * Decides, and plans what is to change in the kernel. Changes nothing.
 *
 * @throws KernelError when the kernel cannot be read
 */
export async function planPass(
  facts: Facts,
  ports: Pick<PassPorts, 'advertiser' | 'log'>,
): Promise<Plan> {
  const { session, options, before, view, suspended, leftOver, now } = facts;
  const { places, leaseMs } = options;
  const decision = decide({
    reading: session.reading,
    verdict: facts.verdict,
    suspensions:
      suspended.error === undefined
        ? { known: true, ids: suspended.active.map(({ id }) => id) }
        : { known: false },
    degraded: session.degraded !== undefined,
    hasEnded: facts.service.news !== undefined,
    present: places.some(({ address }) => view.present.has(address)),
    leaseTooShort: isLeaseTooShort(options, certainInterval(before, now)),
    options,
    now,
  });
  const { advertise, mayAdd } = decision;
  const returns = advertise && mayAdd;
  const renew = leaseIsDue(leaseStart(before, leaseMs, places), leaseMs, now.bootMs);
  const { drainInterface } = ports.advertiser;
  const planned = planChanges({ advertise, mayAdd, renew }, places, leftOver, view, drainInterface);
  const drains = await changesForDrains(facts, planned, returns, ports);
  return { ...facts, decision, changes: [...planned, ...drains], renews: renew && returns };
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
 * @param view what the kernel shows of the instance's service addresses
 * @param drainInterface from which an address comes back in the middle of its drain
 */
export function planChanges(
  desire: Desire,
  places: readonly ServiceAddress[],
  leftOver: readonly ServiceAddress[],
  view: KernelView,
  drainInterface?: string,
): readonly Change[] {
  const gone = leftOver.map((place): Change => ({ verb: 'remove', place }));
  const changes = places.flatMap((place): Change | readonly Change[] => {
    const present = view.present.has(place.address);
    if (!desire.advertise) return present ? { verb: 'remove', place } : [];
    if (!desire.mayAdd) return [];
    // Somebody else advertises it: ours beside it would be for nothing, or push that one aside.
    if (!present) {
      return view.foreign?.has(place.address) === true ? [] : addition(place, view, drainInterface);
    }
    const outdated = view.outdated?.has(place.address) === true;
    return desire.renew || outdated ? { verb: 'renew', place } : [];
  });
  return [...gone, ...changes];
}

/**
 * From the drain interface it comes back with a local route that answers meanwhile; the drain's end,
 * which every return brings, removes that again.
 */
function addition(
  place: ServiceAddress,
  { moved }: KernelView,
  drainInterface: string | undefined,
): Change[] {
  const add: Change = { verb: 'add', place };
  const { address } = place;
  if (drainInterface === undefined || !moved.has(address)) return [add];
  return [
    { verb: 'drain', place: drainAddress(address) },
    { verb: 'end-move', place: { address, interface: drainInterface } },
    add,
  ];
}

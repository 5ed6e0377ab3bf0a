import type { Advertiser, Change, KernelView } from '../advertise/advertiser.ts';
import { leaseIsDue, leaseStart, planChanges } from '../advertise/plan.ts';
import { unknown, type Verdict } from '../probe/probe.ts';
import type { Place } from '../state/instance-state.ts';
import type { Moment } from '../system/clock.ts';
import { assess, usableState, type Assessment } from './assess.ts';
import { changesForDrains } from './drain-changes.ts';
import { isLeaseTooShort } from './lease-advice.ts';
import { certainInterval } from './next-state.ts';
import type { PassOptions } from './pass-options.ts';
import type { PassPorts } from './pass-ports.ts';
import type { Session } from './session.ts';
import { readSuspensions, type SuspensionReading } from './suspension-reading.ts';

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

import type { Change, Failure } from '../advertise/advertiser.ts';
import { claimOwner } from '../state/claims.ts';
import type { InstanceState } from '../state/instance-state.ts';
import type { Moment } from '../system/clock.ts';
import { KernelError, messageOf } from '../system/errors.ts';
import { endDrain } from './apply.ts';
import { usableState } from './decide.ts';
import type { PassOptions, PassPorts } from './ports.ts';
import type { Session } from './session.ts';

/**
 * The drain routes that this pass has to remove: those whose time is over, those of an instance
 * that comes back, and, where no state tells which there are, all that are ours or nobody's.
 *
 * @param returning whether this pass puts the addresses back
 */
export async function changesForDrains(
  session: Session,
  options: PassOptions,
  { advertiser, log }: Pick<PassPorts, 'advertiser' | 'log'>,
  returning: boolean,
  now: Moment,
): Promise<readonly Change[]> {
  if (!advertiser.canDrain) return [];
  const state = usableState(session.reading);
  const own = new Set(options.places.map(({ address }) => address));
  if (state !== undefined) {
    const { drain } = state;
    if (drain === null) return [];
    if (now.bootMs >= drain.untilMs) return endDrain(drain.addresses);
    // One that the configuration gave up goes on, whatever becomes of the others.
    return returning ? endDrain(drain.addresses.filter((address) => own.has(address))) : [];
  }
  try {
    const found = [...(await advertiser.drained())].filter(
      (address) => own.has(address) || claimOwner(session.paths.claims, address) === undefined,
    );
    return endDrain(found);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    log.warning(`cannot look for drain routes that were left behind: ${messageOf(error)}`);
    return [];
  }
}

/** What is still to be drained, or to be removed, after the changes of a pass. Pure. */
export function drainAfter(
  before: InstanceState | undefined,
  changes: readonly Change[],
  failures: readonly Failure[],
): InstanceState['drain'] {
  const drain = before?.drain ?? null;
  if (drain === null || !changes.some(({ verb }) => verb === 'end-drain')) return drain;
  const stuck = new Set(failures.map(({ change }) => change));
  const ended = new Set(
    changes
      .filter((change) => change.verb === 'end-drain' && !stuck.has(change))
      .map(({ place }) => place.address),
  );
  const addresses = drain.addresses.filter((address) => !ended.has(address));
  return addresses.length === 0 ? null : { ...drain, addresses };
}

import { withoutReturns, type Change } from '../advertise/advertiser.ts';
import { drainWithdrawLines } from '../advertise/withdraw-lines.ts';
import type { InstanceState, ServiceAddress } from '../state/instance-state.ts';
import {
  addWithdrawLines,
  dropFromWithdrawFile,
  readWithdrawLines,
  replaceWithdrawLines,
} from '../state/withdraw-file.ts';
import { StateError } from '../system/errors.ts';
import type { Outcome, Plan } from './facts.ts';
import type { PassPorts } from './ports.ts';
import type { Session } from './session.ts';

type Ports = Pick<PassPorts, 'advertiser' | 'log'>;

/**
 * Makes sure that whatever this pass adds can be taken out without a pass. What cannot be is not
 * added: a disk that is full in this moment must not make a service that nobody can withdraw.
 *
 * @returns the plan to go on with, and why nothing is added
 */
export function secureAdditions(
  plan: Plan,
  { advertiser, log }: Ports,
): { readonly plan: Plan; readonly trouble: StateError | undefined } {
  const { session } = plan;
  const adds = ({ verb }: Change): boolean => verb === 'add' || verb === 'renew';
  const places = plan.changes.filter(adds).map(({ place }) => place);
  if (places.length === 0) return { plan, trouble: undefined };
  try {
    addToWithdrawFile(session, advertiser.withdrawLines(places));
    return { plan, trouble: undefined };
  } catch (error) {
    if (!(error instanceof StateError)) throw error;
    log.step('it could not be taken out without a pass: nothing is added');
    const changes = withoutReturns(plan.changes);
    return { plan: { ...plan, changes, renews: false }, trouble: error };
  }
}

/** Puts lines into the file, before what they take out is there. Throws StateError, BusyError. */
export function addToWithdrawFile(session: Session, lines: readonly string[]): void {
  session.requireLock();
  addWithdrawLines(session.paths.withdraw, lines);
}

/**
 * Makes the file say what the kernel shows at the end of a pass. Where a change failed, or a route
 * is still as an earlier configuration wanted it, the former lines stay. What is drained after the
 * configuration gave it up is left out, for its claim goes next.
 *
 * @throws StateError
 */
export function settleWithdrawFile(
  { session, options, present, leftOver, drain, changes, failures, view }: Outcome,
  { advertiser }: Pick<PassPorts, 'advertiser'>,
): void {
  const named = [...options.places, ...leftOver];
  const shown = [...options.places.filter(({ address }) => present.has(address)), ...leftOver];
  const drained = named.map(({ address }) => address).filter(isIn(drain?.addresses));
  const changed = new Set(changes.map(({ place }) => place.address));
  const isOutdated = [...(view.outdated ?? [])].some((address) => !changed.has(address));
  const isUncertain = failures.length > 0 || isOutdated;
  const former = isUncertain ? (readWithdrawLines(session.paths.withdraw) ?? []) : [];
  replaceWithdrawLines(session.paths.withdraw, [
    ...former,
    ...advertiser.withdrawLines(shown),
    ...drainWithdrawLines(drained, advertiser.drainInterface),
  ]);
}

/**
 * Before places leave as planned: a service that dies during the drain ends the drain, too. Without
 * the file nothing is safer if they stay, so whatever is wrong with it is no obstacle.
 */
export function secureDrain(
  session: Session,
  drained: readonly ServiceAddress[],
  { drainInterface }: Pick<PassPorts['advertiser'], 'drainInterface'>,
): void {
  const addresses = drained.map(({ address }) => address);
  quietly(session, () => {
    addToWithdrawFile(session, drainWithdrawLines(addresses, drainInterface));
  });
}

/** After places left as planned: what they left behind is their drain. */
export function settleWithdrawal(
  session: Session,
  removed: readonly ServiceAddress[],
  drain: InstanceState['drain'],
  { drainInterface }: Pick<PassPorts['advertiser'], 'drainInterface'>,
): void {
  const { withdraw } = session.paths;
  const gone = removed.map(({ address }) => address);
  quietly(session, () => {
    session.requireLock();
    const drained = drainWithdrawLines(drain?.addresses ?? [], drainInterface);
    dropFromWithdrawFile(withdraw, gone, drained);
  });
}

/** After the drain of addresses that are nowhere any more. */
export function settleDrain(session: Session, addresses: readonly string[]): void {
  quietly(session, () => {
    dropFromWithdrawFile(session.paths.withdraw, addresses);
  });
}

/** Lines too many do no harm, and the next pass sets the file right. */
function quietly(session: Session, action: () => void): void {
  if (!session.mayWrite) return;
  try {
    action();
  } catch (error) {
    if (!(error instanceof StateError)) throw error;
  }
}

function isIn(addresses: readonly string[] | undefined): (address: string) => boolean {
  const known = new Set(addresses);
  return (address) => known.has(address);
}

import { addressLabel, type Change } from '../advertise/advertiser.ts';
import type { InstanceState, ServiceAddress } from '../state/instance-state.ts';
import { markWithdrawn } from '../state/state-file.ts';
import { KernelError, PermissionError, StateError } from '../system/errors.ts';
import { drainAddress, longerDrain } from './drain.ts';
import { healthAfterWithdrawal } from './decide.ts';
import type { PassPorts } from './ports.ts';
import type { Session, SessionPorts } from './session.ts';
import { secureDrain, settleWithdrawal } from './withdraw-file.ts';

type WithdrawalPorts = SessionPorts & Pick<PassPorts, 'advertiser'>;

export interface Withdrawal {
  /** What was taken out. */
  readonly removed: readonly ServiceAddress[];
  /** When the drain ends, on the clock since boot; undefined: nothing is drained. */
  readonly drainUntilMs: number | undefined;
  readonly state: InstanceState;
}

/**
 * Takes the places of an instance out as planned: the node answers on through a local route until
 * the drain is over, while the routing protocol tells the network. The state says until when
 * before the route is there, so that whoever comes later knows to remove it. Needs the lock.
 *
 * @param state what is to be remembered; health and drain are set here
 * @throws KernelError or PermissionError when an address is still there
 * @throws StateError when only the state could not be written; the addresses are out then
 */
export async function withdrawAddresses(
  session: Session,
  state: InstanceState,
  places: readonly ServiceAddress[],
  drainMs: number,
  { advertiser, clock, log }: WithdrawalPorts,
): Promise<Withdrawal> {
  const { present } = await advertiser.read(places);
  session.requireLock();
  const now = clock.now();
  const removed = places.filter(({ address }) => present.has(address));
  const wantsDrain =
    drainMs > 0 && advertiser.canDrain && state.health.status === 'up' && removed.length > 0;
  const drain = wantsDrain
    ? {
        untilMs: now.bootMs + drainMs,
        addresses: [
          ...new Set([...removed.map(({ address }) => address), ...(state.drain?.addresses ?? [])]),
        ],
      }
    : longerDrain(state.drain, now.bootMs, drainMs);
  const next: InstanceState = {
    ...state,
    health: healthAfterWithdrawal(state.health, now.bootMs),
    advertising: false,
    advertisingChangedAtMs: state.advertising ? now.bootMs : state.advertisingChangedAtMs,
    transitions: state.transitions + (state.advertising ? 1 : 0),
    leaseFromMs: null,
    drain,
  };
  let unwritten: StateError | PermissionError | undefined;
  try {
    session.write(next);
  } catch (error) {
    if (!(error instanceof StateError || error instanceof PermissionError)) throw error;
    unwritten = error;
  }
  const drained = wantsDrain && unwritten === undefined ? removed : [];
  secureDrain(session, drained);
  const failures = await applyWithdrawal(removed, drained, advertiser);
  for (const { change, message } of failures.filter(({ change }) => change.verb === 'drain')) {
    log.warning(`${change.place.address} is not drained: ${message}`);
  }
  const stuck = failures.filter(({ change }) => change.verb === 'remove');
  if (stuck.length > 0) {
    const text = stuck
      .map(({ change, message }) => `${addressLabel(change.place)}: ${message}`)
      .join('; ');
    if (stuck.some(({ notPermitted }) => notPermitted)) throw new PermissionError(text);
    throw new KernelError(text);
  }
  settleWithdrawal(session, removed, drain);
  if (unwritten !== undefined) {
    markWithdrawn(session.paths.state);
    throw unwritten;
  }
  return { removed, drainUntilMs: drain?.untilMs, state: next };
}

async function applyWithdrawal(
  removed: readonly ServiceAddress[],
  drained: readonly ServiceAddress[],
  advertiser: PassPorts['advertiser'],
): ReturnType<PassPorts['advertiser']['apply']> {
  const changes = [
    ...drained.map(({ address }): Change => ({ verb: 'drain', place: drainAddress(address) })),
    ...removed.map((place): Change => ({ verb: 'remove', place })),
  ];
  return changes.length === 0 ? [] : advertiser.apply(changes, undefined);
}

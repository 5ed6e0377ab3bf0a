import { addressLabel, type Change, type Failure } from '../advertise/advertiser.ts';
import type { InstanceState, ServiceAddress } from '../state/instance-state.ts';
import { markWithdrawn } from '../state/state-file.ts';
import { KernelError, PermissionError, StateError } from '../system/errors.ts';
import { beginDrain, type Drain, type Leaving } from './drain.ts';
import { healthAfterWithdrawal } from './decide.ts';
import type { PassPorts } from './ports.ts';
import type { Session, SessionPorts } from './session.ts';
import { secureDrain, settleWithdrawal } from './withdraw-file.ts';

type WithdrawalPorts = SessionPorts & Pick<PassPorts, 'advertiser'>;

export interface Withdrawal {
  /** What was taken out. */
  readonly removed: readonly ServiceAddress[];
  /** When somebody has to end the drain, on the clock since boot; undefined: nobody has to. */
  readonly drainUntilMs: number | undefined;
  readonly state: InstanceState;
}

/**
 * Takes the service addresses of an instance out as planned: the node answers on until the drain is
 * over, while the routing protocol tells the network. The state says until when before anything is
 * changed, so that whoever comes later knows what to remove. A drain that runs already is joined, and
 * not made longer. Needs the lock.
 *
 * @param state what is to be remembered; health and drain are set here
 * @throws KernelError or PermissionError when an address is still there
 * @throws StateError when only the state could not be written; the addresses are out then
 */
export async function withdrawAddresses(
  session: Session,
  state: InstanceState,
  places: readonly ServiceAddress[],
  leaving: Leaving,
  { advertiser, clock, log }: WithdrawalPorts,
): Promise<Withdrawal> {
  const { present } = await advertiser.read(places);
  const removed = places.filter(({ address }) => present.has(address));
  const wantsDrain =
    leaving.drainMs > 0 &&
    advertiser.canDrain &&
    state.health.status === 'up' &&
    removed.length > 0;
  const addresses = removed.map(({ address }) => address);
  const begun = wantsDrain
    ? await beginDrain(addresses, state.drain, leaving, { advertiser, clock, log })
    : undefined;
  session.requireLock();
  const now = clock.now();
  const next: InstanceState = {
    ...state,
    health: healthAfterWithdrawal(state.health, now.bootMs),
    advertising: false,
    advertisingChangedAtMs: state.advertising ? now.bootMs : state.advertisingChangedAtMs,
    transitions: state.transitions + (state.advertising ? 1 : 0),
    leaseFromMs: null,
    drain: begun?.state ?? state.drain,
  };
  let unwritten: StateError | PermissionError | undefined;
  try {
    session.write(next);
  } catch (error) {
    if (!(error instanceof StateError || error instanceof PermissionError)) throw error;
    unwritten = error;
  }
  // Without the state, no drain: nobody would know of its route.
  const drain = unwritten === undefined ? begun : undefined;
  if (drain !== undefined) secureDrain(session, removed, advertiser);
  const failures = sayUndrained(await applyWithdrawal(removed, drain, advertiser), log);
  const stuck = failures.filter(({ change }) => change.verb === 'remove');
  if (stuck.length > 0) {
    const text = stuck
      .map(({ change, message }) => `${addressLabel(change.place)}: ${message}`)
      .join('; ');
    if (stuck.some(({ notPermitted }) => notPermitted)) throw new PermissionError(text);
    throw new KernelError(text);
  }
  settleWithdrawal(session, removed, next.drain, advertiser);
  if (unwritten !== undefined) {
    markWithdrawn(session.paths.state);
    throw unwritten;
  }
  // A drain that somebody else began is for him to end, or for the next pass.
  const mustBeEnded = begun?.attended ?? leaving.unattended !== true;
  return { removed, drainUntilMs: mustBeEnded ? next.drain?.untilMs : undefined, state: next };
}

/**
 * Without its drain a withdrawal is still one: that is warned about.
 *
 * @returns the failures that are more than that
 */
export function sayUndrained(
  failures: readonly Failure[],
  log: WithdrawalPorts['log'],
): readonly Failure[] {
  const isOfDrain = ({ change: { verb } }: Failure): boolean => verb === 'drain' || verb === 'move';
  for (const { change, message } of failures.filter(isOfDrain)) {
    const what = change.verb === 'drain' ? 'is not drained' : `is not on ${change.place.interface}`;
    log.warning(`${change.place.address} ${what}: ${message}`);
  }
  return failures.filter((failure) => !isOfDrain(failure));
}

async function applyWithdrawal(
  removed: readonly ServiceAddress[],
  drain: Drain | undefined,
  advertiser: PassPorts['advertiser'],
): ReturnType<PassPorts['advertiser']['apply']> {
  const changes = removed.flatMap((place): readonly Change[] =>
    drain === undefined ? [{ verb: 'remove', place }] : drain.leave(place),
  );
  return changes.length === 0 ? [] : advertiser.apply(changes, undefined);
}

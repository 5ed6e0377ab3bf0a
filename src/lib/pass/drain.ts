import type { Change, Failure } from '../advertise/advertiser.ts';
import { claimOwner } from '../state/claims.ts';
import type { InstanceState, ServiceAddress } from '../state/instance-state.ts';
import { knownState, forgetState } from '../state/state-file.ts';
import { sleep } from '../system/clock.ts';
import { formatDuration } from '../system/duration.ts';
import { KernelError, messageOf, StateError } from '../system/errors.ts';
import type { Facts, Plan } from './facts.ts';
import type { PassPorts } from './ports.ts';
import { openSession, type SessionOptions, type SessionPorts } from './session.ts';
import { settleDrain } from './withdraw-file.ts';

/**
 * The drain routes that this pass has to remove: those whose time is over, those of an instance
 * that comes back, and, where no state tells which there are, all that are ours or nobody's.
 *
 * @param returning whether this pass puts the addresses back
 */
export async function changesForDrains(
  { session, options, before: state, now }: Facts,
  returning: boolean,
  { advertiser, log }: Pick<PassPorts, 'advertiser' | 'log'>,
): Promise<readonly Change[]> {
  if (!advertiser.canDrain) return [];
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

/** The addresses that the configuration does not name any more, and that go with this pass. */
function dropped({ changes, options }: Plan): readonly ServiceAddress[] {
  const own = new Set(options.places.map(({ address }) => address));
  return changes
    .filter(({ verb, place }) => verb === 'remove' && !own.has(place.address))
    .map(({ place }) => place);
}

/**
 * An address that the configuration gives up leaves as planned: the state says until when it is
 * drained before the route is there.
 *
 * @returns the state before this pass, with that drain
 */
export function drainDropped(
  plan: Plan,
  { advertiser }: Pick<PassPorts, 'advertiser'>,
): InstanceState | undefined {
  const { session, options, before } = plan;
  const places = dropped(plan);
  const isPlanned =
    before?.health.status === 'up' &&
    plan.verdict.status !== 'down' &&
    session.mayWrite &&
    options.drainMs > 0 &&
    advertiser.canDrain;
  if (!isPlanned || places.length === 0) return before;
  const addresses = [...places.map(({ address }) => address), ...(before.drain?.addresses ?? [])];
  const untilMs = plan.now.bootMs + options.drainMs;
  const next = { ...before, drain: { untilMs, addresses: [...new Set(addresses)] } };
  try {
    session.write(next);
    return next;
  } catch (error) {
    if (!(error instanceof StateError)) throw error;
    return before; // without the state, no drain: nobody would know of its route
  }
}

/**
 * The changes that make those drain routes.
 *
 * @param before the state with that drain
 */
export function drainsOfDropped(before: InstanceState | undefined, plan: Plan): readonly Change[] {
  const drained = new Set(before?.drain?.addresses);
  return dropped(plan)
    .filter(({ address }) => drained.has(address))
    .map(({ address }): Change => ({ verb: 'drain', place: drainAddress(address) }));
}

/**
 * What is drained already, by a pass that saw the suspension first or by another holder: whoever
 * asks for a longer drain gets it. One that is over stays known: whoever was to end it may have
 * been killed, and its route is still there then.
 */
export function longerDrain(
  drain: InstanceState['drain'],
  nowMs: number,
  drainMs: number,
): InstanceState['drain'] {
  if (drain === null || drain.untilMs <= nowMs) return drain;
  return { ...drain, untilMs: Math.max(drain.untilMs, nowMs + drainMs) };
}

/** The changes that end the drain of addresses. */
export function endDrain(addresses: Iterable<string>): readonly Change[] {
  return Array.from(addresses, (address): Change => ({
    verb: 'end-drain',
    place: drainAddress(address),
  }));
}

/** Drain routes are always on lo, wherever the address was. */
export function drainAddress(address: string): ServiceAddress {
  return { address, interface: 'lo' };
}

/** Waits until the drain is over, or somebody is in a hurry. The lock is not held meanwhile. */
export async function awaitDrain(
  untilMs: number,
  { clock, log }: Pick<SessionPorts, 'clock' | 'log'>,
  hurry: AbortSignal,
): Promise<void> {
  const leftMs = (): number => untilMs - clock.now().bootMs;
  if (leftMs() > 0) log.step(`drain: answering on for ${formatDuration(leftMs())}`);
  while (leftMs() > 0 && !hurry.aborted) await sleep(leftMs(), hurry);
}

/**
 * Removes the drain routes of an instance and forgets them, unless a pass did so already or put
 * the addresses back.
 *
 * @param forget remove the state as well, if no pass came by in the meantime
 * @throws KernelError when a route is still there, StateError, BusyError
 */
export async function finishDrain(
  options: SessionOptions,
  ports: SessionPorts & Pick<PassPorts, 'advertiser'>,
  drained: InstanceState,
  forget: boolean,
): Promise<void> {
  const session = await openSession(options, ports);
  try {
    // A drain may be longer than the lease, or begin long after the last pass: what is known is true.
    const { reading } = session;
    const state =
      reading.kind === 'valid' || reading.gap === 'expired' ? knownState(reading) : undefined;
    if (state === undefined) return;
    if (state.drain !== null && state.drain.untilMs === drained.drain?.untilMs) {
      session.requireLock();
      const failures = await ports.advertiser.apply(endDrain(state.drain.addresses), undefined);
      if (failures.length > 0) {
        const text = failures.map(({ change, message }) => `${change.place.address}: ${message}`);
        throw new KernelError(`the drain route of ${text.join('; ')}`);
      }
      settleDrain(session, state.drain.addresses);
      ports.log.step('drain: over');
      if (session.degraded === undefined) session.write({ ...state, drain: null });
    }
    const untouched = state.lastPass?.atMs === drained.lastPass?.atMs && !state.advertising;
    if (forget && untouched) forgetState(session.paths);
  } finally {
    session.close();
  }
}

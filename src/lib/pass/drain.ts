import type { Change } from '../advertise/advertiser.ts';
import { secondsOnDrainInterface } from '../advertise/drain-interface.ts';
import type { InstanceState, ServiceAddress } from '../state/instance-state.ts';
import { knownState, forgetState } from '../state/state-file.ts';
import { sleep } from '../system/clock.ts';
import { formatDuration } from '../system/duration.ts';
import { KernelError, messageOf, StateError } from '../system/errors.ts';
import type { Plan } from './facts.ts';
import type { PassPorts } from './ports.ts';
import { openSession, type SessionOptions, type SessionPorts } from './session.ts';
import { settleDrain } from './withdraw-file.ts';

export type DrainState = NonNullable<InstanceState['drain']>;

/** How an instance leaves as planned. */
export interface Leaving {
  readonly drainMs: number;
  /**
   * Nobody stays to end the drain: where there is a drain interface, the address spends its time
   * there and no more, for that the kernel ends.
   */
  readonly unattended?: boolean;
}

/** A drain that is about to begin. */
export interface Drain {
  /** What the state has to say before anything is changed. */
  readonly state: DrainState;
  /** Makes the changes by which one address leaves. */
  readonly leave: (place: ServiceAddress) => readonly Change[];
  /** Whether somebody has to end it. */
  readonly attended: boolean;
}

/**
 * Plans the drain of addresses: the node answers on through a local route from before the address
 * leaves its interface, and has it on the drain interface for the first half.
 *
 * @param former what is drained already
 */
export async function beginDrain(
  addresses: readonly string[],
  former: DrainState | null,
  { drainMs, unattended = false }: Leaving,
  { advertiser, clock, log }: Pick<PassPorts, 'advertiser' | 'clock' | 'log'>,
): Promise<Drain> {
  const device = (await hasDrainInterface(advertiser, log)) ? advertiser.drainInterface : undefined;
  const seconds = secondsOnDrainInterface(drainMs);
  const attended = !unattended || device === undefined;
  const nowMs = clock.now().bootMs;
  const movedUntilMs = device === undefined ? null : nowMs + seconds * 1000;
  return {
    state: {
      movedUntilMs: movedUntilMs ?? former?.movedUntilMs ?? null,
      untilMs: attended ? nowMs + drainMs : nowMs + seconds * 1000,
      addresses: [...new Set([...addresses, ...(former?.addresses ?? [])])],
    },
    leave: (place) => {
      const { address } = place;
      const answering: Change = { verb: 'drain', place: drainAddress(address) };
      const removal: Change = { verb: 'remove', place };
      if (device === undefined) return [answering, removal];
      // Never on both at once: a routing daemon that has the address already does not look again.
      const move: Change = { verb: 'move', place: { address, interface: device }, seconds };
      return [answering, removal, move, ...(attended ? [] : endDrain([address]))];
    },
    attended,
  };
}

async function hasDrainInterface(
  advertiser: PassPorts['advertiser'],
  log: Pick<PassPorts, 'log'>['log'],
): Promise<boolean> {
  if (advertiser.drainInterface === undefined) return false;
  try {
    await advertiser.prepareDrain();
    return true;
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    log.warning(`${messageOf(error)}: the network is told at once that the address leaves`);
    return false;
  }
}

/** The addresses that the configuration does not name any more, and that go with this pass. */
function dropped({ changes, options }: Plan): readonly ServiceAddress[] {
  const own = new Set(options.places.map(({ address }) => address));
  return changes
    .filter(({ verb, place }) => verb === 'remove' && !own.has(place.address))
    .map(({ place }) => place);
}

/**
 * Addresses that the configuration gives up leave as planned: the state says until when they are
 * drained before anything is changed.
 *
 * @returns the state before this pass with that drain, and the changes of the pass with it
 */
export async function drainDropped(
  plan: Plan,
  ports: Pick<PassPorts, 'advertiser' | 'clock' | 'log'>,
): Promise<Pick<Plan, 'before' | 'changes'>> {
  const { session, options, before, changes } = plan;
  const places = dropped(plan);
  const isPlanned =
    before?.health.status === 'up' &&
    plan.verdict.status !== 'down' &&
    session.mayWrite &&
    options.drainMs > 0 &&
    ports.advertiser.canDrain;
  if (!isPlanned || places.length === 0) return { before, changes };
  const addresses = places.map(({ address }) => address);
  const drain = await beginDrain(addresses, before.drain, options, ports);
  const next = { ...before, drain: drain.state };
  try {
    session.write(next);
  } catch (error) {
    if (!(error instanceof StateError)) throw error;
    return { before, changes }; // without the state, no drain: nobody would know of its route
  }
  return {
    before: next,
    changes: changes.flatMap((change) =>
      change.verb === 'remove' && places.includes(change.place)
        ? drain.leave(change.place)
        : [change],
    ),
  };
}

/** The changes that take addresses off the drain interface. */
export function endMove(
  addresses: readonly string[],
  device: string | undefined,
): readonly Change[] {
  if (device === undefined) return [];
  return addresses.map((address) => ({ verb: 'end-move', place: { address, interface: device } }));
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
      const { addresses } = state.drain;
      const { advertiser } = ports;
      // Also what the kernel ended already: of IPv6 a route is left for a while, which has expired.
      const changes = [...endMove(addresses, advertiser.drainInterface), ...endDrain(addresses)];
      const failures = await advertiser.apply(changes, undefined);
      if (failures.length > 0) {
        const text = failures.map(({ change, message }) => `${change.place.address}: ${message}`);
        throw new KernelError(`the drain of ${text.join('; ')}`);
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

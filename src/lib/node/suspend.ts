import { addressLabel } from '../advertise/advertiser.ts';
import { DRAIN_INTERFACE, DRAIN_MS } from '../advertise/drain-interface.ts';
import { interfaceOf } from '../advertise/kernel-addresses.ts';
import { readOwnRoutes } from '../advertise/kernel-routes.ts';
import { readOspfTimers } from '../advertise/ospf-timers.ts';
import { blankState } from '../pass/next-state.ts';
import { readSuspensions } from '../pass/read-suspensions.ts';
import type { SessionOptions } from '../pass/session.ts';
import { awaitDrain, finishDrain } from '../pass/drain.ts';
import { withdrawAddresses, type Withdrawal } from '../pass/withdraw.ts';
import { claimedAddresses } from '../state/claims.ts';
import type { InstanceState, ServiceAddress } from '../state/instance-state.ts';
import { usableState, readState, type StateReading } from '../state/state-file.ts';
import { instancePaths } from '../state/state-folder.ts';
import { hasJustEnded, openUnlessOut } from './already-out.ts';
import { readListeners, sayClosedListeners } from './closed-listeners.ts';
import { drainAdvice } from './drain-advice.ts';
import { writeAll, type SuspensionRequest, type Written } from './hold.ts';
import type { NodeContext } from './node-context.ts';

/**
 * Suspends instances, takes their addresses out and waits for the drain. The suspensions are
 * written first, for all of them and without any lock, so that from then on no pass adds anything.
 *
 * @param hurry cuts the drain short
 * @returns the suspensions by instance
 * @throws BusyError when one of them is suspended under that name by somebody else: then none is
 * @throws StateError when a suspension cannot be written, KernelError or PermissionError when an
 *   address is still there, BusyError when a pass lasts longer than it may
 */
export async function suspendInstances(
  instances: readonly string[],
  request: SuspensionRequest,
  context: NodeContext,
  hurry: AbortSignal,
  onWritten: (written: Written) => void = () => undefined,
): Promise<Written> {
  const listeners = readListeners();
  const written = writeAll(instances, request, context);
  onWritten(written);
  const results = await Promise.allSettled(
    instances.map((instance) => withdrawSuspended(instance, request.drainMs, context)),
  );
  const withdrawn = results.flatMap((result) =>
    result.status === 'fulfilled' && result.value !== undefined ? [result.value] : [],
  );
  const advised = adviseOnDrain(withdrawn, context);
  const watched = withdrawn.map(({ instance, withdrawal: { state } }) =>
    sayClosedListeners(instance, listeners, state.drain, context, hurry),
  );
  for (const { withdrawal, finish } of withdrawn) {
    // Each by its own clock, yet together: the later ones are over when the first have been awaited.
    if (withdrawal.drainUntilMs === undefined) continue;
    await awaitDrain(withdrawal.drainUntilMs, context, hurry);
    await finish();
  }
  await Promise.all([advised, ...watched]);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return written;
}

/** Says when the drain that has just begun is likely too short, if the routing daemon can tell. */
async function adviseOnDrain(
  withdrawn: readonly Withdrawn[],
  { run, log }: NodeContext,
): Promise<void> {
  const drains = withdrawn.flatMap(({ drainMs, withdrawal: { state } }) =>
    state.drain === null ? [] : [{ ...state.drain, drainMs }],
  );
  if (drains.length === 0) return;
  const timers = await readOspfTimers(run);
  const advice = drains.flatMap((drain) => drainAdvice(drain, timers) ?? []);
  for (const text of new Set(advice)) log.warning(text);
}

interface Withdrawn {
  readonly instance: string;
  readonly drainMs: number;
  readonly withdrawal: Withdrawal;
  readonly finish: () => Promise<void>;
}

async function withdrawSuspended(
  instance: string,
  wantedDrainMs: number | undefined,
  context: NodeContext,
): Promise<Withdrawn | undefined> {
  const options = sessionOptions(instance, context);
  const session = await openUnlessOut(options, context);
  if (session === undefined) {
    context.log.notice(`${instance}: suspended; it was not advertised`);
    return undefined;
  }
  try {
    const before = lastKnownState(session.reading) ?? (await stateOfClaims(instance, context));
    const ports = {
      ...context,
      advertiser: context.advertiserFor(before.kind, before.drainInterface),
    };
    const drainMs = wantedDrainMs ?? before.drainMs ?? DRAIN_MS;
    const ids = readSuspensions({ ...context, instance }, context.clock, context.ownUid).active;
    const state = { ...before, suspensionIds: ids.map(({ id }) => id) };
    // Of a service that is dead nothing would answer.
    const leaving = { drainMs: hasJustEnded(instance, context) ? 0 : drainMs };
    const withdrawal = await withdrawAddresses(session, state, state.places, leaving, ports);
    sayWithdrawn(instance, withdrawal, context);
    return {
      instance,
      drainMs,
      withdrawal,
      finish: () => finishDrain(options, ports, withdrawal.state, false),
    };
  } finally {
    session.close();
  }
}

function sayWithdrawn(instance: string, withdrawal: Withdrawal, { log }: NodeContext): void {
  const removed = withdrawal.removed.map(addressLabel).join(', ');
  const already =
    withdrawal.drainUntilMs === undefined ? 'it was not advertised' : 'it is withdrawn already';
  log.notice(`${instance}: suspended; ${removed === '' ? already : `withdrew ${removed}`}`);
}

/** Longer than a pass of that instance may last: its lock comes free within that time. */
export function sessionOptions(instance: string, context: NodeContext): SessionOptions {
  const { state } = instancePaths(context.stateDir, instance);
  const reading = readState(state, context.clock.now());
  const deadlineMs = usableState(reading)?.deadlineMs ?? 0;
  return {
    instance,
    stateDir: context.stateDir,
    lockWaitMs: context.lockWaitMs + deadlineMs + OVERDUE_MS,
    places: [],
    inTurn: true,
    attempts: 1,
    // What a machine takes that many others keep busy: nobody kills one that works.
    timeoutMs: BUSY_MS,
    retryDelayMs: 0,
  };
}

/** How long the withdrawal itself may take, on a machine that is busy. */
const BUSY_MS = 20_000;

/** How long after its deadline a pass that hangs is killed by whoever waits for its lock. */
const OVERDUE_MS = 11_000;

/** The state, also where it is too old for a pass to go by: what it manages is still true. */
function lastKnownState(reading: StateReading): InstanceState | undefined {
  if (reading.kind === 'valid') return reading.state;
  return reading.gap === 'expired' ? reading.stale : undefined;
}

/** What the claims and the kernel still tell of an instance whose state is lost. */
async function stateOfClaims(instance: string, context: NodeContext): Promise<InstanceState> {
  const { claims } = instancePaths(context.stateDir, instance);
  const claimed = claimedAddresses(claims, instance);
  const placed = (find: (address: string) => string | undefined): ServiceAddress[] =>
    claimed.flatMap((address) => {
      const name = find(address);
      return name === undefined ? [] : [{ address, interface: name }];
    });
  const ownRoutes = await readOwnRoutes(context.run);
  const routed = placed((address) => ownRoutes.get(address)?.[0]?.device);
  const kind = routed.length > 0 ? 'route' : 'address';
  const places =
    kind === 'route' ? routed : placed((address) => interfaceOf(address, DRAIN_INTERFACE));
  return blankState(
    { instance, source: null, kind, places },
    places.length > 0,
    context.clock.now(),
  );
}

import { placeLabel } from '../advertise/advertiser.ts';
import { interfaceOf } from '../advertise/kernel-addresses.ts';
import { readOwnRoutes } from '../advertise/kernel-routes.ts';
import { readOspfTimers } from '../advertise/ospf-timers.ts';
import { claimedAddresses } from '../state/claims.ts';
import type { InstanceState, Place } from '../state/instance-state.ts';
import { readState, type StateReading } from '../state/state-file.ts';
import { instancePaths, prepareFolder } from '../state/state-folder.ts';
import { maySuspend } from '../state/suspension-rules.ts';
import {
  removeSuspension,
  rewriteSuspension,
  standingSuspension,
  writeSuspension,
  type Suspension,
} from '../state/suspensions.ts';
import { BusyError } from '../system/errors.ts';
import type { Login } from '../system/login.ts';
import type { ProcessIdentity } from '../system/process-identity.ts';
import { usableState } from './assess.ts';
import { blankState } from './blank-state.ts';
import { drainAdvice } from './drain-advice.ts';
import type { NodeContext } from './node-context.ts';
import { openSession, type SessionOptions } from './session.ts';
import { describeWriter, readSuspensions, suspensionFolders } from './suspension-reading.ts';
import { awaitDrain, finishDrain, withdrawPlaces, type Withdrawal } from './withdraw.ts';

/** What is asked of `ha-suspend`. */
export interface SuspensionRequest {
  readonly holder: string;
  readonly reason: string;
  /** undefined: until it is resumed. */
  readonly forMs: number | undefined;
  readonly acrossReboot: boolean;
  readonly drainMs: number;
  /** The suspension ends when these are gone; undefined: it is bound to no process. */
  readonly processes: readonly ProcessIdentity[] | undefined;
  readonly who: Login;
  /** Also in place of what somebody else wrote under that name. */
  readonly replace: boolean;
}

/** What was written, by instance. */
export type Written = ReadonlyMap<string, Suspension>;

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
  const written = writeAll(instances, request, context);
  onWritten(written);
  const results = await Promise.allSettled(
    instances.map((instance) => withdrawSuspended(instance, request.drainMs, context)),
  );
  const withdrawn = results.flatMap((result) =>
    result.status === 'fulfilled' ? [result.value] : [],
  );
  const advised = adviseOnDrain(withdrawn, request.drainMs, context);
  for (const { withdrawal, finish } of withdrawn) {
    // Each by its own clock, yet together: the later ones are over when the first have been awaited.
    if (withdrawal.drainUntilMs === undefined) continue;
    await awaitDrain(withdrawal.drainUntilMs, context, hurry);
    await finish();
  }
  await advised;
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return written;
}

/** Says when the drain that has just begun is likely too short, if the routing daemon can tell. */
async function adviseOnDrain(
  withdrawn: readonly Withdrawn[],
  drainMs: number,
  { run, log }: NodeContext,
): Promise<void> {
  const addresses = withdrawn.flatMap(({ withdrawal }) => withdrawal.state.drain?.addresses ?? []);
  if (addresses.length === 0) return;
  const advice = drainAdvice(drainMs, addresses, await readOspfTimers(run));
  if (advice !== undefined) log.warning(advice);
}

/** Writes the suspensions of all instances, or of none. */
function writeAll(
  instances: readonly string[],
  request: SuspensionRequest,
  context: NodeContext,
): Written {
  prepareFolder(context.stateDir, context.ownUid);
  if (request.acrossReboot) prepareFolder(context.persistDir, context.ownUid);
  const allowed = instances.map((instance) => permit(instance, request, context));
  const written = new Map<string, Suspension>();
  try {
    for (const [index, instance] of instances.entries()) {
      const exclusive = allowed[index] === 'create';
      written.set(instance, writeOne(instance, request, exclusive, context));
    }
  } catch (error) {
    for (const [instance, { id }] of written) endSuspension(instance, request.holder, id, context);
    throw error;
  }
  return written;
}

/**
 * Whether an instance may be suspended under the name.
 *
 * @returns `create`: nothing stands there
 * @throws BusyError
 */
function permit(
  instance: string,
  { holder, who, replace }: SuspensionRequest,
  { clock, log, ...folders }: NodeContext,
): 'create' | 'replace' {
  const now = clock.now();
  let isNew = true;
  for (const folder of suspensionFolders(folders)) {
    const standing = standingSuspension(folder, instance, holder, now);
    if (standing !== undefined) isNew = false;
    const permission = maySuspend(standing, who.login, replace);
    if (permission === 'write' || standing?.active === undefined) continue;
    const words = `'${holder}'${describeWriter(standing.active, now)}`;
    if (permission === 'refuse') {
      throw new BusyError(
        `${instance}: suspended already as ${words}: give another name (--by), or --replace`,
      );
    }
    log.notice(`${instance}: takes the place of the suspension as ${words}`);
  }
  return isNew ? 'create' : 'replace';
}

function writeOne(
  instance: string,
  request: SuspensionRequest,
  exclusive: boolean,
  context: NodeContext,
): Suspension {
  const [folder, persistent] = suspensionFolders(context);
  const { holder, reason, forMs, acrossReboot, processes, who } = request;
  const suspension = { instance, holder, reason, forMs, acrossReboot, processes, who, exclusive };
  const now = context.clock.now();
  const written = writeSuspension(acrossReboot ? persistent : folder, suspension, now);
  // A holder has one suspension: the former one of the other kind would outlive it.
  if (!exclusive) removeSuspension(acrossReboot ? folder : persistent, instance, holder);
  return written;
}

/** Ends one suspension, if it is still that one. Throws StateError, PermissionError. */
export function endSuspension(
  instance: string,
  holder: string,
  id: string,
  context: Pick<NodeContext, 'stateDir' | 'persistDir'>,
): boolean {
  return suspensionFolders(context)
    .map((folder) => removeSuspension(folder, instance, holder, id))
    .includes(true);
}

/**
 * Writes a suspension anew, that counts as the same one and ends when it would have.
 *
 * @throws StateError, PermissionError
 */
export function changeSuspension(
  instance: string,
  holder: string,
  suspension: Suspension,
  context: Pick<NodeContext, 'stateDir' | 'persistDir'>,
): void {
  const [folder, persistent] = suspensionFolders(context);
  rewriteSuspension(suspension.acrossReboot ? persistent : folder, instance, holder, suspension);
}

interface Withdrawn {
  readonly withdrawal: Withdrawal;
  readonly finish: () => Promise<void>;
}

async function withdrawSuspended(
  instance: string,
  drainMs: number,
  context: NodeContext,
): Promise<Withdrawn> {
  const options = sessionOptions(instance, context);
  const session = await openSession(options, context);
  try {
    const before = lastKnownState(session.reading) ?? (await stateOfClaims(instance, context));
    const ports = { ...context, advertiser: context.advertiserFor(before.kind) };
    const ids = readSuspensions({ ...context, instance }, context.clock, context.ownUid).active;
    const state = { ...before, suspensionIds: ids.map(({ id }) => id) };
    const withdrawal = await withdrawPlaces(session, state, state.places, drainMs, ports);
    sayWithdrawn(instance, withdrawal, context);
    return { withdrawal, finish: () => finishDrain(options, ports, withdrawal.state, false) };
  } finally {
    session.close();
  }
}

function sayWithdrawn(instance: string, withdrawal: Withdrawal, { log }: NodeContext): void {
  const removed = withdrawal.removed.map(placeLabel).join(', ');
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
  const placed = (find: (address: string) => string | undefined): Place[] =>
    claimed.flatMap((address) => {
      const name = find(address);
      return name === undefined ? [] : [{ address, interface: name }];
    });
  const ownRoutes = await readOwnRoutes(context.run);
  const routed = placed((address) => ownRoutes.get(address)?.[0]?.device);
  const kind = routed.length > 0 ? 'route' : 'address';
  const places = kind === 'route' ? routed : placed(interfaceOf);
  return blankState(
    { instance, source: null, kind, places },
    places.length > 0,
    context.clock.now(),
  );
}

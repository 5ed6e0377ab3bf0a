import { usableState } from '../state/state-file.ts';
import { addressLabel } from '../advertise/advertiser.ts';
import { claimOwner } from '../state/claims.ts';
import type { ServiceAddress } from '../state/instance-state.ts';
import { removeSuspension, writeSuspension } from '../state/suspensions.ts';
import { dropFromWithdrawFile } from '../state/withdraw-file.ts';
import { ConfigurationError, PermissionError, StateError } from '../system/errors.ts';
import { ownIdentity } from '../system/process-identity.ts';
import { keepHandedOver } from './hand-over.ts';
import { blankState } from './next-state.ts';
import { droppedAddresses, releaseAddresses } from './ownership.ts';
import type { PassOptions, PassPorts } from './ports.ts';
import { readSuspensions, suspensionFolders } from './read-suspensions.ts';
import { reportOf, type PassDecision, type PassReport } from './report.ts';
import { openSession, type Session } from './session.ts';
import { awaitDrain, finishDrain } from './drain.ts';
import { withdrawAddresses, type Withdrawal } from './withdraw.ts';

/** The holder of the suspension that SIGTSTP makes, and how long that lasts at most. */
export const SIGNAL_HOLDER = 'signal';
const SIGNAL_SUSPENSION_MS = 3_600_000;

/**
 * Why an instance is taken out. `forget`: --withdraw; `dropped`: its configuration names no address
 * any more; `withdraw`: SIGTERM; `suspend`: SIGTSTP. The first two give up claims and state.
 */
type Cause = 'forget' | 'dropped' | 'withdraw' | 'suspend';

const CAUSES = {
  forget: { reason: 'withdrawn', words: 'withdrawn on request' },
  dropped: { reason: 'withdrawn', words: 'the configuration names no address any more' },
  withdraw: { reason: 'withdrawn', words: 'terminated' },
  suspend: { reason: 'suspended', words: `suspended by ${SIGNAL_HOLDER} (SIGTSTP)` },
} as const satisfies Record<Cause, { reason: string; words: string }>;

/**
 * Takes an instance out of service at once, without a probe.
 *
 * @throws as `withdrawAddresses`, BusyError, and ConfigurationError for an address that belongs to
 *   another instance
 */
export async function withdrawInstance(
  options: PassOptions,
  ports: PassPorts,
  cause: Cause,
): Promise<PassReport> {
  const unwritten = cause === 'suspend' ? suspendBySignal(options, ports) : undefined;
  const session = await openSession(options, ports);
  let done: Done;
  try {
    done = await withdrawWithin(session, options, ports, cause);
  } finally {
    session.close();
  }
  const { withdrawal, unreleased } = done;
  const decision = decisionOf(withdrawal, options, ports, cause);
  if (decision.transition !== undefined) ports.log.notice(decision.transition.message);
  const { drainUntilMs } = withdrawal;
  if (drainUntilMs !== undefined) await awaitDrain(drainUntilMs, ports, ports.interrupts.hurry);
  if (drainUntilMs !== undefined || forgets(cause)) {
    const forget = forgets(cause) && unreleased === undefined;
    await finishDrain(options, ports, withdrawal.state, forget);
  }
  if (unreleased !== undefined) ports.log.error(unreleased.message);
  const problems = [unwritten, unreleased].filter((problem) => problem !== undefined);
  return reportOf(options.instance, undefined, decision, problems);
}

interface Done {
  readonly withdrawal: Withdrawal;
  /** Why the claims could not be read or given up: that must not keep an address there. */
  readonly unreleased: StateError | undefined;
}

/** Whether nothing is to be left of the instance. */
function forgets(cause: Cause): boolean {
  return cause === 'forget' || cause === 'dropped';
}

/** Suspends before the lock is taken. Returns why that was not possible; it is withdrawn anyway. */
function suspendBySignal(
  options: PassOptions,
  { clock, log }: Pick<PassPorts, 'clock' | 'log'>,
): StateError | PermissionError | undefined {
  const [folder] = suspensionFolders(options);
  const request = {
    instance: options.instance,
    holder: SIGNAL_HOLDER,
    reason: 'SIGTSTP',
    forMs: SIGNAL_SUSPENSION_MS,
    acrossReboot: false,
    // Whoever kills the process that stands still does not leave the node out.
    processes: [ownIdentity()],
    id: signalSuspensionId(),
  };
  try {
    writeSuspension(folder, request, clock.now());
    return undefined;
  } catch (error) {
    if (!(error instanceof StateError || error instanceof PermissionError)) throw error;
    log.error(error.message);
    return error;
  }
}

function signalSuspensionId(): string {
  const { pid, startTicks } = ownIdentity();
  return `signal-${pid}-${startTicks}`;
}

function decisionOf(
  { removed, state }: Withdrawal,
  options: PassOptions,
  ports: PassPorts,
  cause: Cause,
): PassDecision {
  const { reason, words } = CAUSES[cause];
  const labels = removed.map(addressLabel);
  const message = `down: withdrew ${labels.join(', ')}: ${words}`;
  return {
    health: 'down',
    successes: 0,
    failures: 0,
    advertising: false,
    transition: removed.length === 0 ? undefined : { to: 'down', reason, message },
    transitions: state.transitions,
    suspensions: readSuspensions(options, ports.clock, ports.ownUid).active,
    places: options.places.map((place) => ({ ...place, present: false })),
    leaseLeftMs: undefined,
    changes: labels.map((label) => `remove ${label}`),
  };
}

/** Ends the suspension that SIGTSTP made of this process, and no other's. Throws StateError. */
export function endSignalSuspension(options: PassOptions): void {
  const [folder] = suspensionFolders(options);
  removeSuspension(folder, options.instance, SIGNAL_HOLDER, signalSuspensionId());
}

async function withdrawWithin(
  session: Session,
  options: PassOptions,
  ports: PassPorts,
  cause: Cause,
): Promise<Done> {
  const owned = forgets(cause) ? ownedAddresses(session, options, ports) : { places: [] };
  const before = usableState(session.reading);
  const places = [...options.places, ...owned.places];
  const { present } = await ports.advertiser.read(places);
  const { instance, source } = options;
  const { kind } = ports.advertiser;
  const blank = { instance, source, kind, places: options.places };
  const state = before ?? blankState(blank, present.size > 0, ports.clock.now());
  const ids = readSuspensions(options, ports.clock, ports.ownUid).active.map(({ id }) => id);
  // A process that was told to end does not stay for the drain, nor one that is stopped.
  const leaving = { drainMs: options.drainMs, unattended: !forgets(cause) };
  const known = { ...state, suspensionIds: cause === 'suspend' ? ids : state.suspensionIds };
  const withdrawal = await withdrawAddresses(session, known, places, leaving, ports);
  if (!forgets(cause)) return { withdrawal, unreleased: undefined };
  const unreleased = troubleOf(() => {
    const addresses = places.map(({ address }) => address);
    dropFromWithdrawFile(session.paths.withdraw, addresses);
    releaseAddresses(session, options.instance, places);
  });
  return { withdrawal, unreleased: owned.trouble ?? unreleased };
}

/**
 * The places that the instance has beside those it names. Where the claims cannot be read, those
 * that are named still go, as in any pass.
 *
 * @throws ConfigurationError for an address that belongs to another instance
 */
function ownedAddresses(
  session: Session,
  options: PassOptions,
  ports: PassPorts,
): { readonly places: readonly ServiceAddress[]; readonly trouble?: StateError | undefined } {
  let places: readonly ServiceAddress[] = [];
  const trouble = troubleOf(() => {
    refuseForeign(session, options);
  });
  const lost = troubleOf(() => {
    const owned = droppedAddresses(
      session,
      { ...options, mode: 'withdraw' },
      ports.advertiser.kind,
    );
    places = keepHandedOver(owned, session, options, ports);
  });
  return { places, trouble: trouble ?? lost };
}

function troubleOf(action: () => void): StateError | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof StateError) return error;
    throw error;
  }
}

/** Nobody takes another instance's address out. Throws ConfigurationError, StateError. */
function refuseForeign({ paths }: Session, { instance, places }: PassOptions): void {
  for (const { address } of places) {
    const owner = claimOwner(paths.claims, address);
    if (owner === undefined || owner === instance) continue;
    throw new ConfigurationError(
      `${address} belongs to instance '${owner}', so '${instance}' must not withdraw it`,
    );
  }
}

import type { InstanceState, Place } from '../state/instance-state.ts';
import { runningCommand } from '../state/running-command.ts';
import { markWithdrawn } from '../state/state-file.ts';
import { monotonicMs } from '../system/clock.ts';
import { StateError } from '../system/errors.ts';
import { applyChanges, type Outcome } from './apply.ts';
import { describeVerdict, probeWithAttempts } from './attempts.ts';
import { usableState } from './decide.ts';
import { leaseAdvice } from './lease.ts';
import { certainInterval, isAdvertising, nextState, type PassFacts } from './next-state.ts';
import { gaveUpAll, releasePlaces, takeOwnership } from './ownership.ts';
import { leaseStart, examine, placesThere, type Examination } from './plan.ts';
import type { Advice, PassOptions, PassPorts } from './ports.ts';
import { watchSuspensions } from './read-suspensions.ts';
import {
  conclude,
  explain,
  reportDryRun,
  reportOf,
  type PassReport,
  gapMessage,
} from './report.ts';
import { openReadOnly, openSession, type Session } from './session.ts';
import { withdrawInstance } from './withdraw-instance.ts';

/**
 * One pass of one instance: lock, read state, probe, decide, reconcile, read back, write state,
 * unlock. Everything it goes by is in its arguments, so that one process can run many at once.
 * An interruption before it could decide ends it with nothing changed; to obey is the caller's.
 *
 * @returns what it saw and did, with its share of the exit status
 * @throws BusyError, ConfigurationError, PermissionError, KernelError or StateError when it had to
 *   end before it could decide
 */
export async function runPass(options: PassOptions, ports: PassPorts): Promise<PassReport> {
  if (options.mode === 'withdraw') return withdrawInstance(options, ports, 'forget');
  if (options.places.length === 0) {
    const dropped = gaveUpAll(options, ports.clock);
    return dropped ? withdrawInstance(options, ports, 'dropped') : checkOnly(options, ports);
  }
  if (options.mode === 'dry-run') return passWithin(openReadOnly(options, ports), options, ports);
  const session = await openSession(options, ports, ports.interrupts.signal);
  try {
    return await passWithin(session, options, ports);
  } finally {
    session.close();
  }
}

/** Probes and says what it saw: no lock, no state, no privilege. */
async function checkOnly(options: PassOptions, ports: PassPorts): Promise<PassReport> {
  const verdict = await probeWithAttempts(options, ports, {
    health: undefined,
    command: undefined,
  });
  return reportOf(options.instance, verdict, undefined, []);
}

async function passWithin(
  locked: Session,
  options: PassOptions,
  ports: PassPorts,
): Promise<PassReport> {
  const startedMs = monotonicMs();
  const { reading } = locked;
  if (reading.kind === 'gap' && reading.aged === undefined && locked.mayWrite) {
    ports.log.notice(gapMessage(reading.gap));
  }
  const { session, dropped } = await takeOwnership(locked, options, ports);
  const health = usableState(reading)?.health.status;
  const command = session.mayWrite ? runningCommand(session.paths.command) : undefined;
  const probed = await probeWithAttempts(options, ports, { health, command });
  if (ports.interrupts.requested() !== undefined) {
    return reportOf(options.instance, probed, undefined, []);
  }
  const examined = await examine(session, probed, dropped, options, ports);
  explain(examined, options, ports.log);
  if (options.mode === 'dry-run') return reportDryRun(examined, options);

  const watch = watchSuspensions(options, ports.clock, ports.ownUid);
  const outcome = await applyChanges(session, examined, watch.isSuspended, options, ports);
  const after =
    outcome.changes.length === 0 ? examined.view : await ports.advertiser.read(options.places);
  const facts: PassFacts = {
    ...factsBefore(session, examined, options),
    kind: ports.advertiser.kind,
    present: after.present,
    leftOver: await placesThere(ports.advertiser, dropped),
    leaseFromMs: leaseFrom(session, examined, outcome, options),
    drain: outcome.drain,
    warned: adviseOnce(session, examined, options, ports),
    durationMs: monotonicMs() - startedMs,
  };
  const unwritten = remember(session, nextState(facts), dropped);
  const isUnwritten = unwritten !== undefined || session.degraded !== undefined;
  if (isUnwritten && facts.wasAdvertising && !isAdvertising(facts)) {
    markWithdrawn(session.paths.state);
  }
  const trouble = session.degraded ?? unwritten ?? watch.trouble();
  return conclude(facts, examined, outcome, trouble, ports.log);
}

type FactsBefore = Pick<
  PassFacts,
  'options' | 'before' | 'wasAdvertising' | 'assessment' | 'verdict' | 'now'
>;

function factsBefore(session: Session, examined: Examination, options: PassOptions): FactsBefore {
  const before = usableState(session.reading);
  const { assessment, verdict, now, view } = examined;
  const shown = options.places.some(({ address }) => view.present.has(address));
  const wasAdvertising = before?.advertising ?? shown;
  return { options, before, wasAdvertising, assessment, verdict, now };
}

/** When the leases that the kernel holds now began: the oldest counts. */
function leaseFrom(
  { reading }: Session,
  { renews, now }: Examination,
  { failures }: Outcome,
  { leaseMs, places }: PassOptions,
): number | null {
  const failed = failures.some(({ change }) => change.verb === 'add' || change.verb === 'renew');
  if (renews && !failed) return now.bootMs;
  return leaseStart(usableState(reading), leaseMs, places);
}

/** Says what is doubtful and was not said yet. Returns what is doubtful now. */
function adviseOnce(
  session: Session,
  { verdict, view, now }: Examination,
  options: PassOptions,
  { log }: PassPorts,
): readonly string[] {
  const before = usableState(session.reading);
  const blind: Advice = { key: 'unknown', message: `cannot judge: ${describeVerdict(verdict)}` };
  const all: readonly Advice[] = [
    ...options.advice,
    ...leaseAdvice(options, certainInterval(before, now)),
    ...(verdict.status === 'unknown' ? [blind] : []),
    ...(view.advice ?? []),
    ...Array.from(view.foreign ?? [], ([address, found]): Advice => ({
      key: `foreign ${address}`,
      message: `somebody else advertises ${address}: ${found} is left alone${view.present.has(address) ? '' : ', and nothing added'}`,
    })),
  ];
  for (const { key, message } of all) {
    if (before?.warned.includes(key) !== true) log.warning(message);
  }
  return all.map(({ key }) => key);
}

/** Writes the state and gives up what is no longer managed. Returns why that was not possible. */
function remember(
  session: Session,
  state: InstanceState,
  dropped: readonly Place[],
): StateError | undefined {
  if (!session.mayWrite) return undefined;
  try {
    session.write(state);
    const kept = new Set(state.places.map(({ address }) => address));
    const gone = dropped.filter(({ address }) => !kept.has(address));
    releasePlaces(session, state.instance, gone);
    return undefined;
  } catch (error) {
    if (error instanceof StateError) return error;
    throw error;
  }
}

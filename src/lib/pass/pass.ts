import type { Verdict } from '../probe/probe.ts';
import type { InstanceState } from '../state/instance-state.ts';
import { runningCommand } from '../state/running-command.ts';
import { usableState, markWithdrawn } from '../state/state-file.ts';
import { monotonicMs } from '../system/clock.ts';
import { StateError } from '../system/errors.ts';
import { applyChanges } from './apply.ts';
import { describeVerdict, probeWithAttempts } from './attempts.ts';
import { gatherFacts, addressesThere, type Applied, type Outcome, type Plan } from './facts.ts';
import { drainAdvice } from './plan-drains.ts';
import { leaseAdvice, leaseStart } from './lease.ts';
import { certainInterval, isAdvertising, nextState } from './next-state.ts';
import { gaveUpAll, releaseAddresses, takeOwnership } from './ownership.ts';
import { planPass } from './plan.ts';
import type { Advice, PassOptions, PassPorts } from './ports.ts';
import { watchSuspensions } from './read-suspensions.ts';
import {
  explain,
  gapMessage,
  reportDryRun,
  reportOf,
  reportPass,
  type PassReport,
} from './report.ts';
import { latestEndOrNone } from './service-end.ts';
import { openReadOnly, openSession, type Session } from './session.ts';
import { secureAdditions, settleWithdrawFile } from './withdraw-file.ts';
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
  sayGap(locked, ports);
  const { session, dropped } = await takeOwnership(locked, options, ports);
  const endBefore = latestEndOrNone(session.paths.ended);
  const probed = await probe(session, options, ports);
  if (ports.interrupts.requested() !== undefined) {
    return reportOf(options.instance, probed, undefined, []);
  }
  const facts = await gatherFacts(session, probed, endBefore, dropped, options, ports);
  const planned = await planPass(facts, ports);
  explain(planned, ports.log);
  if (options.mode === 'dry-run') return reportDryRun(planned);

  const { plan, trouble: unsecured } = secureAdditions(planned, ports);
  const watch = watchSuspensions(options, ports.clock, ports.ownUid);
  const isOut = (): boolean => facts.service.hasEndedSince() || watch.isSuspended();
  const applied = await applyChanges(plan, isOut, ports);
  const outcome = await readBack({ ...plan, ...applied }, startedMs, ports);
  const state = nextState(outcome);
  const trouble = writeState(outcome, state, ports) ?? watch.trouble() ?? unsecured;
  return reportPass(outcome, state, trouble, ports.log);
}

/** A state that cannot be used is told, but where the pass cannot write one either. */
function sayGap({ reading, mayWrite }: Session, { log }: PassPorts): void {
  if (reading.kind === 'gap' && reading.aged === undefined && mayWrite) {
    log.notice(gapMessage(reading.gap));
  }
}

function probe(session: Session, options: PassOptions, ports: PassPorts): Promise<Verdict> {
  const { reading, mayWrite, paths } = session;
  return probeWithAttempts(options, ports, {
    health: usableState(reading)?.health.status,
    command: mayWrite ? runningCommand(paths.command) : undefined,
  });
}

/** Looks at the kernel again, if anything was changed in it. */
async function readBack(
  done: Plan & Applied,
  startedMs: number,
  ports: PassPorts,
): Promise<Outcome> {
  const { advertiser } = ports;
  const { options, dropped } = done;
  const after = done.changes.length === 0 ? done.view : await advertiser.read(options.places);
  return {
    ...done,
    present: after.present,
    leftOver: await addressesThere(advertiser, dropped),
    leaseFromMs: leaseFrom(done, options),
    warned: adviseOnce(done, ports),
    durationMs: monotonicMs() - startedMs,
  };
}

/** When the leases that the kernel holds now began: the oldest counts. */
function leaseFrom(
  { before, renews, now, failures }: Plan & Applied,
  { leaseMs, places }: PassOptions,
): number | null {
  const failed = failures.some(({ change }) => change.verb === 'add' || change.verb === 'renew');
  return renews && !failed ? now.bootMs : leaseStart(before, leaseMs, places);
}

/** Says what is doubtful and was not said yet. Returns what is doubtful now. */
function adviseOnce(plan: Plan, { advertiser, log }: PassPorts): readonly string[] {
  const { options, before, verdict, view, now } = plan;
  const blind: Advice = { key: 'unknown', message: `cannot judge: ${describeVerdict(verdict)}` };
  const all: readonly Advice[] = [
    ...options.advice,
    ...leaseAdvice(options, certainInterval(before, now)),
    ...drainAdvice(plan, advertiser),
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

/**
 * Writes the state and gives up what is no longer managed. A withdrawal that cannot be written is
 * marked, so that the next pass knows of it.
 *
 * @returns why nothing could be written
 */
function writeState(
  outcome: Outcome,
  state: InstanceState,
  ports: Pick<PassPorts, 'advertiser'>,
): Session['degraded'] {
  const { session, wasAdvertising } = outcome;
  const unwritten = session.degraded ?? remember(outcome, state, ports);
  if (unwritten !== undefined && wasAdvertising && !isAdvertising(outcome)) {
    markWithdrawn(session.paths.state);
  }
  return unwritten;
}

function remember(
  outcome: Outcome,
  state: InstanceState,
  ports: Pick<PassPorts, 'advertiser'>,
): StateError | undefined {
  const { session, dropped } = outcome;
  if (!session.mayWrite) return undefined;
  try {
    session.write(state);
    settleWithdrawFile(outcome, ports);
    const kept = new Set(state.places.map(({ address }) => address));
    const gone = dropped.filter(({ address }) => !kept.has(address));
    releaseAddresses(session, state.instance, gone);
    return undefined;
  } catch (error) {
    if (error instanceof StateError) return error;
    throw error;
  }
}

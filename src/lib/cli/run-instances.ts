import { runPass } from '../pass/pass.ts';
import { describeVerdict } from '../pass/attempts.ts';
import { reportOf, type PassReport } from '../pass/pass-report.ts';
import { endSignalSuspension } from '../pass/withdraw-instance.ts';
import { monotonicMs, systemClock } from '../system/clock.ts';
import { runCommand } from '../system/command.ts';
import { errnoOf, messageOf, ReportedError, stackOf } from '../system/errors.ts';
import { ExitStatus } from '../system/exit-status.ts';
import { prefixedLog, type Log } from '../system/log.ts';
import { jsonReport } from './json-report.ts';
import type { LoadedInstance } from './load-instance.ts';
import type { Output } from './output.ts';
import { listenForSignals, type Signals } from './signals.ts';

/** How results are shown. */
export interface ShowOptions {
  readonly name: string;
  readonly ownUid: number;
  readonly json: boolean;
  readonly quiet: boolean;
}

/**
 * Runs a pass of each instance, all at once. Whatever happens to one touches none of the others.
 *
 * @returns the exit status of each
 */
export async function runInstances(
  instances: readonly LoadedInstance[],
  output: Output,
  show: ShowOptions,
): Promise<readonly number[]> {
  for (;;) {
    const signals = listenForSignals();
    const statuses = await Promise.all(
      instances.map((instance) => runInstance(instance, signals, output, show)),
    );
    output.flush();
    const asked = signals.requested();
    if (asked === 'leave') return [signals.leaveStatus()];
    if (asked !== 'suspend') return statuses;
    signals.stop();
    // Here again after SIGCONT: that suspension is over, and the pass starts afresh.
    await new Promise(setImmediate); // a SIGTERM that came while stopped is handled first
    const ended = signals.requested() === 'withdraw';
    for (const { options } of instances) endSignalSuspension(options);
    if (ended) return [ExitStatus.up];
    signals.close();
  }
}

async function runInstance(
  { options, advertiser, probe, onChange, metricsDir }: LoadedInstance,
  signals: Signals,
  output: Output,
  show: ShowOptions,
): Promise<number> {
  const startedMs = monotonicMs();
  const { instance } = options;
  const log = instance === show.name ? output : prefixedLog(output, instance);
  const ports = {
    clock: systemClock,
    log,
    run: runCommand,
    advertiser,
    ownUid: show.ownUid,
    interrupts: signals,
    probe,
  };
  let report: PassReport;
  try {
    report = await runPass(options, ports);
  } catch (error) {
    report = reportFailure(instance, error, log);
  }
  await tellOthers(report, onChange, metricsDir, monotonicMs() - startedMs, log);
  showReport(report, options.mode === 'dry-run', instance === show.name, output, show);
  return report.exitStatus;
}

/** What a pass that ended early comes to. */
function reportFailure(instance: string, error: unknown, log: Log): PassReport {
  if (error instanceof ReportedError) {
    log.error(error.message);
    return reportOf(instance, undefined, undefined, [error]);
  }
  const blank = reportOf(instance, undefined, undefined, []);
  const errno = errnoOf(error);
  if (errno !== undefined && /^E[A-Z0-9]+$/.test(errno)) {
    log.error(`a system call failed: ${messageOf(error)}`);
    return { ...blank, exitStatus: ExitStatus.unknown, problems: [messageOf(error)] };
  }
  log.error(`this is a bug: ${stackOf(error)}`);
  return { ...blank, exitStatus: ExitStatus.bug, problems: [messageOf(error)] };
}

async function tellOthers(
  report: PassReport,
  onChange: string | undefined,
  metricsDir: string | undefined,
  durationMs: number,
  log: Log,
): Promise<void> {
  const transition = report.decision?.transition;
  if (onChange !== undefined && transition !== undefined) {
    const { runOnChange } = await import('./on-change.ts');
    const problem = await runOnChange(onChange, report.instance, transition);
    if (problem !== undefined) log.warning(`--on-change: ${problem}`);
  }
  if (metricsDir !== undefined) {
    const { writeMetrics } = await import('./metrics.ts');
    try {
      writeMetrics(metricsDir, report, durationMs, systemClock.now().wallMs);
    } catch (error) {
      log.warning(`--metrics-dir: ${messageOf(error)}`);
    }
  }
}

function showReport(
  report: PassReport,
  isDryRun: boolean,
  isOnly: boolean,
  output: Output,
  { json, quiet }: ShowOptions,
): void {
  if (json) {
    output.result(jsonReport(report));
    return;
  }
  if (quiet) return;
  const { verdict, decision } = report;
  const prefix = isOnly ? '' : `${report.instance}: `;
  if (verdict !== undefined && (decision === undefined || isDryRun)) {
    output.result(`${prefix}${describeVerdict(verdict)}`);
  }
  if (decision === undefined || !isDryRun) return;
  const changes = decision.changes.length === 0 ? ['nothing'] : decision.changes;
  for (const change of changes) output.result(`${prefix}would change: ${change}`);
}

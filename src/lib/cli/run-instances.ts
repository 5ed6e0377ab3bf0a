import { configurationsFor } from '../options/configured-instances.ts';
import { describeVerdict } from '../pass/attempts.ts';
import { runPass } from '../pass/pass.ts';
import { passDeadlineMs, type PassOptions, type PassPorts } from '../pass/ports.ts';
import { reportOf, type PassReport, type Transition } from '../pass/report.ts';
import { endSignalSuspension, withdrawInstance } from '../pass/withdraw-instance.ts';
import { monotonicMs, sleep, systemClock } from '../system/clock.ts';
import { prepareCommand, runCommand } from '../system/command.ts';
import { errnoOf, messageOf, ReportedError, stackOf } from '../system/errors.ts';
import { ExitStatus, worstExitStatus } from '../system/exit-status.ts';
import { prefixedLog, type Log } from '../system/log.ts';
import { jsonReport } from './json-report.ts';
import type { LoadedInstance } from './load-instance.ts';
import type { Output } from './output.ts';
import { listenForSignals, type Signals } from './signals.ts';
import { WorkUnderWay } from './work-under-way.ts';

/** How results are shown. */
export interface ShowOptions {
  readonly name: string;
  readonly ownUid: number;
  readonly json: boolean;
  readonly quiet: boolean;
  /** false: a pass that was made while others were not through: the first one's result is shown. */
  readonly shown?: boolean;
}

/**
 * Runs a pass of each instance, all at once. Whatever happens to one touches none of the others, and
 * none waits for another.
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
    const suspended: LoadedInstance[] = [];
    const deadlines = instances.map(({ options }) => options.lockWaitMs + passDeadlineMs(options));
    const work = new WorkUnderWay(Math.max(0, ...deadlines) + LONGEST_HOOK_MS);
    const programs = new Map<string, Promise<void>>();
    const tell: Tell = (instance, program) => {
      // Those of one instance in turn: `up` and `down` must not overtake each other.
      const before = programs.get(instance) ?? Promise.resolve();
      programs.set(instance, work.during(before.then(program)));
    };
    const passes = instances.map((instance) =>
      passAndRepeat(instance, work, signals, (shown) =>
        perform(instance, runPass, signals, output, { ...show, shown }, tell),
      ),
    );
    const over = Promise.all(passes);
    const statuses = await Promise.all(
      passes.map(async (pass, index) => {
        const status = await pass;
        // What is asked of the process while others are not through yet is asked of this one too.
        await Promise.race([over, aborted(signals.signal)]);
        const asked = signals.requested();
        const instance = instances[index];
        if (instance === undefined || !isManaged(instance)) return status;
        if (asked !== 'withdraw' && asked !== 'suspend') return status;
        if (asked === 'suspend') suspended.push(instance);
        const withdraw = (options: PassOptions, ports: PassPorts): Promise<PassReport> =>
          withdrawInstance(options, ports, asked);
        return perform(instance, withdraw, signals, output, show, tell);
      }),
    );
    await Promise.all(programs.values());
    output.flush();
    if (signals.requested() === 'suspend') {
      signals.stop();
      await sleep(PENDING_SIGNALS_MS);
    }
    for (const { options } of suspended) endSignalSuspension(options);
    const asked = signals.requested();
    if (asked === 'leave') return [signals.leaveStatus()];
    if (asked !== 'suspend') return statuses;
    signals.close();
    // Here again after SIGCONT: that suspension is over, and the pass starts afresh.
  }
}

/** Starts a program of the user's, which nobody waits for but the end of the process. */
type Tell = (instance: string, program: () => Promise<void>) => void;

/** What `--on-change` may take beside the longest pass. */
const LONGEST_HOOK_MS = 10_000;

/**
 * One pass, and as many more as a timer would have started while other instances are not through.
 *
 * @param pass makes one; shown: whether its result is for the reader
 */
async function passAndRepeat(
  instance: LoadedInstance,
  work: WorkUnderWay,
  signals: Signals,
  pass: (shown: boolean) => Promise<number>,
): Promise<number> {
  const statuses = [await work.during(pass(true))];
  const repeats = isManaged(instance) && !instance.once;
  while (repeats && (await work.isLongerThanATimer(signals.signal))) {
    statuses.push(await pass(false));
  }
  return worstExitStatus(statuses);
}

/** Long enough for the event loop to see what came while the process stood still. */
const PENDING_SIGNALS_MS = 10;

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => {
      resolve();
    });
  });
}

/** Whether there is something that a signal could take out. */
function isManaged({ options }: LoadedInstance): boolean {
  return options.mode === 'pass' && options.places.length > 0;
}

/** Does something with an instance, and tells everybody what came of it. Returns the exit status. */
async function perform(
  { options, advertiser, probe, onChange, metricsDir }: LoadedInstance,
  action: (options: PassOptions, ports: PassPorts) => Promise<PassReport>,
  signals: Signals,
  output: Output,
  show: ShowOptions,
  tell: Tell,
): Promise<number> {
  const startedMs = monotonicMs();
  const { instance } = options;
  const log = instance === show.name ? output : prefixedLog(output, instance);
  const ports = {
    clock: systemClock,
    log,
    run: runCommand,
    prepareChange: prepareCommand,
    advertiser,
    ownUid: show.ownUid,
    interrupts: signals,
    configurations: configurationsFor(show.ownUid),
    probe,
  };
  let report: PassReport;
  try {
    report = await action(options, ports);
  } catch (error) {
    report = reportFailure(instance, error, log);
  }
  const wasInterrupted = signals.requested() !== undefined && report.decision === undefined;
  if (wasInterrupted && report.problems.length === 0) return report.exitStatus; // it saw nothing
  if (options.mode !== 'dry-run') {
    const forgotten = options.mode === 'withdraw' && report.exitStatus === ExitStatus.up;
    const durationMs = monotonicMs() - startedMs;
    const transition = report.decision?.transition;
    if (onChange !== undefined && transition !== undefined) {
      tell(instance, () => tellProgram(onChange, instance, transition, log));
    }
    if (metricsDir !== undefined) {
      await tellMetrics(report, metricsDir, { durationMs, forgotten }, log);
    }
  }
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

async function tellProgram(
  program: string,
  instance: string,
  transition: Transition,
  log: Log,
): Promise<void> {
  const { runOnChange } = await import('./on-change.ts');
  const problem = await runOnChange(program, instance, transition);
  if (problem !== undefined) log.warning(`--on-change: ${problem}`);
}

async function tellMetrics(
  report: PassReport,
  metricsDir: string,
  { durationMs, forgotten }: { readonly durationMs: number; readonly forgotten: boolean },
  log: Log,
): Promise<void> {
  const { removeMetrics, writeMetrics } = await import('./metrics.ts');
  try {
    if (forgotten) removeMetrics(metricsDir, report.instance);
    else writeMetrics(metricsDir, report, durationMs, systemClock.now().wallMs);
  } catch (error) {
    log.warning(`--metrics-dir: ${messageOf(error)}`);
  }
}

function showReport(
  report: PassReport,
  isDryRun: boolean,
  isOnly: boolean,
  output: Output,
  { json, quiet, shown = true }: ShowOptions,
): void {
  if (json) {
    if (shown) output.result(jsonReport(report));
    return;
  }
  if (quiet || !shown) return;
  const { verdict, decision } = report;
  const prefix = isOnly ? '' : `${report.instance}: `;
  if (verdict !== undefined && (decision === undefined || isDryRun)) {
    output.result(`${prefix}${describeVerdict(verdict)}`);
  }
  if (decision === undefined || !isDryRun) return;
  const changes = decision.changes.length === 0 ? ['nothing'] : decision.changes;
  for (const change of changes) output.result(`${prefix}would change: ${change}`);
}

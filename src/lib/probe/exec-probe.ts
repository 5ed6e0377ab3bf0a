import { runInGroup, type GroupOutcome } from '../system/process-group.ts';
import { printable } from './printable.ts';
import { down, unknown, up, type Probe, type ProbeContext, type Verdict } from './probe.ts';

export interface ExecProbeOptions {
  readonly file: string;
  readonly args: readonly string[];
  /** What exit status 1, the WARNING of monitoring plugins, means. */
  readonly warningIs: 'down' | 'up';
}

/** From SIGTERM to SIGKILL: enough to remove a temporary file, and little beside --timeout. */
const GRACE_MS = 100;

/** Of each output; the first line of it is shown. */
const MAX_OUTPUT_BYTES = 16 * 1024;
const MAX_DETAIL_LENGTH = 200;

/**
 * Runs a command and takes its exit status for the verdict, as monitoring plugins mean it
 * (https://www.monitoring-plugins.org/doc/guidelines.html): 0 OK, 1 WARNING, 2 CRITICAL,
 * 3 UNKNOWN. Of the statuses a shell makes, 126 and 127 mean that the program could not be run.
 */
export const execProbe: Probe<ExecProbeOptions> = async (options, context) => {
  context.log.step(`runs ${options.file} with ${options.args.length} arguments`);
  const outcome = await runInGroup({
    file: options.file,
    args: options.args,
    env: environmentOf(context),
    signal: context.signal,
    graceMs: GRACE_MS,
    maxOutputBytes: MAX_OUTPUT_BYTES,
  });
  return judge(outcome, options);
};

/** What the command is told of the pass. */
function environmentOf({ instance, health }: ProbeContext): Record<string, string> {
  return {
    ...(instance === undefined ? {} : { ANYCAST_HA_INSTANCE: instance }),
    ...(health === undefined ? {} : { ANYCAST_HA_HEALTH: health }),
  };
}

/** The verdict on a run that has ended. */
export function judge(
  { ending, stdout, stderr }: GroupOutcome,
  { file, warningIs }: Pick<ExecProbeOptions, 'file' | 'warningIs'>,
): Verdict {
  const name = printable(file, MAX_DETAIL_LENGTH);
  const line = firstLine(stdout) || firstLine(stderr);
  const said = line === '' ? '' : `: ${line}`;
  switch (ending.kind) {
    case 'out-of-time':
      return down('timeout', `${name}: did not end in time and was killed${said}`);
    case 'killed':
      return down('exit-status', `${name}: killed by ${ending.signal}${said}`);
    case 'not-started':
      return verdictOfStart(ending.errno, name);
    case 'exited':
      return verdictOfExit(ending.exitStatus, warningIs, name, said);
  }
}

function verdictOfExit(
  status: number,
  warningIs: 'down' | 'up',
  name: string,
  said: string,
): Verdict {
  const detail = `${name}: exit ${status}${said}`;
  switch (status) {
    case 0:
      return up(`${name}${said === '' ? ': exit 0' : said}`);
    case 1:
      return warningIs === 'up' ? up(detail) : down('exit-status', detail);
    case 3:
      return unknown('reported', detail);
    case 126:
      return unknown('permission', detail);
    case 127:
      return unknown('no-program', detail);
    default:
      return down('exit-status', detail);
  }
}

/** execve(2): what kept the program from starting is never the service's fault. */
function verdictOfStart(errno: string, name: string): Verdict {
  switch (errno) {
    case 'ENOENT': // also the interpreter of a script
    case 'ENOTDIR':
    case 'ENOEXEC':
    case 'ELOOP':
      return unknown('no-program', `${name}: no such program (${errno})`);
    case 'EACCES':
    case 'EPERM':
      return unknown('permission', `${name}: may not be run (${errno})`);
    default:
      return unknown('resources', `${name}: could not be started (${errno})`);
  }
}

function firstLine(output: string): string {
  const line = output.split('\n').find((candidate) => candidate.trim() !== '') ?? '';
  return printable(line, MAX_DETAIL_LENGTH);
}

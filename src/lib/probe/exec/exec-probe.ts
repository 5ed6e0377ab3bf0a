import { realpathSync } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import { inheritedEnvironment, runInGroup, type GroupOutcome } from '../../system/process-group.ts';
import { INSTANCE_VARIABLE } from '../../state/running-command.ts';
import { ExitStatus } from '../../system/exit-status.ts';
import { printable } from '../printable.ts';
import { down, unknown, up, type Probe, type ProbeContext, type Verdict } from '../probe.ts';

export interface ExecProbeOptions {
  readonly file: string;
  readonly args: readonly string[];
  /** What exit status 1, the WARNING of monitoring plugins, means. */
  readonly warningIs: 'down' | 'up';
  /** Whether it is a monitoring plugin, whose exit status 3 means that it could not tell. */
  readonly isPlugin: boolean;
}

/** From SIGTERM to SIGKILL: enough to remove a temporary file, and little beside --timeout. */
const GRACE_MS = 100;

/** Of each output; the first line of it is shown. */
const MAX_OUTPUT_BYTES = 16 * 1024;
const MAX_DETAIL_LENGTH = 200;

/**
 * Runs a command and takes its exit status for the verdict: 0 is up. 126 and 127 are what shells
 * say of a program that they could not run. 1 and 3 may be meant as monitoring plugins mean them
 * (https://www.monitoring-plugins.org/doc/guidelines.html: WARNING, UNKNOWN), but only where that
 * is said: `systemctl is-active` says 3 of a service that is stopped. An executable of this
 * package says down by 2, and by others that it could not tell.
 */
export const probeExec: Probe<ExecProbeOptions> = async (options, context) => {
  context.log.step(`runs ${options.file} with ${options.args.length} arguments`);
  const outcome = await runInGroup({
    file: options.file,
    args: options.args,
    env: { ...inheritedEnvironment(), ...environmentOf(context) },
    signal: context.signal,
    graceMs: GRACE_MS,
    maxOutputBytes: MAX_OUTPUT_BYTES,
    begun: (pid) => context.command?.begun(pid),
  });
  context.command?.over();
  return judge(outcome, options);
};

/** What the command is told of the pass: by names that are no option of a probe in it. */
function environmentOf({ instance, health }: ProbeContext): Record<string, string> {
  return {
    ...(instance === undefined ? {} : { [INSTANCE_VARIABLE]: instance }),
    ...(health === undefined ? {} : { ANYCAST_HEALTH: health }),
  };
}

/** The verdict on a run that has ended. */
export function judge(
  { ending, stdout, stderr }: GroupOutcome,
  options: Pick<ExecProbeOptions, 'file' | 'warningIs' | 'isPlugin'>,
): Verdict {
  const { file } = options;
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
      return verdictOfExit(ending.exitStatus, options, name, said);
  }
}

function verdictOfExit(
  status: number,
  { file, warningIs, isPlugin }: Pick<ExecProbeOptions, 'file' | 'warningIs' | 'isPlugin'>,
  name: string,
  said: string,
): Verdict {
  const detail = `${name}: exit ${status}${said}`;
  if (isOwnExecutable(file) && status !== 0 && status !== ExitStatus.down) {
    return unknown('reported', detail);
  }
  switch (status) {
    case 0:
      return up(`${name}${said === '' ? ': exit 0' : said}`);
    case 1:
      return warningIs === 'up' ? up(detail) : down('exit-status', detail);
    case 3:
      return isPlugin ? unknown('reported', detail) : down('exit-status', detail);
    case 126:
      return unknown('permission', detail);
    case 127:
      return unknown('no-program', detail);
    default:
      return down('exit-status', detail);
  }
}

const OWN_NAME = /^(?:(?:dns|exec|http|radius|squid|syslog|tcp-route)-probe|ha-[a-z]+)$/;

/** Whether a command is one of this package's, also under another name behind a symbolic link. */
function isOwnExecutable(file: string): boolean {
  if (OWN_NAME.test(basename(file))) return true;
  const folders = inheritedEnvironment()['PATH']?.split(delimiter) ?? [];
  const candidates = file.includes('/') ? [file] : folders.map((folder) => join(folder, file));
  const found = candidates.map(realPath).find((path) => path !== undefined);
  return found !== undefined && OWN_NAME.test(basename(found));
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
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

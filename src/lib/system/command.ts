import { containStart } from './contain-start.ts';
import { errnoOf, messageOf } from './errors.ts';

/** What a child process left behind. */
export interface CommandResult {
  /** The exit status, or undefined when it was killed or could not start. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** Why it did not end by itself: errno of the start, a signal, or the time limit. */
  readonly failure: string | undefined;
}

export interface CommandOptions {
  readonly input?: string;
  readonly timeoutMs: number;
  /** A file descriptor that the child gets as its standard input, in place of `input`. */
  readonly stdinFd?: number;
}

/** Runs a program of the system. The port through which everything is changed in the kernel. */
export type RunCommand = (
  file: string,
  args: readonly string[],
  options: CommandOptions,
) => Promise<CommandResult>;

/** Where Debian keeps `ip` and `flock`, whatever PATH cron or a user's shell has. */
const SYSTEM_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

/** All that a program of the system gets to know. */
export const SYSTEM_ENVIRONMENT = { PATH: SYSTEM_PATH, LC_ALL: 'C' } as const;

/**
 * Runs a program without a shell and with a fixed environment. Never rejects: what went wrong is
 * in the result. The child is killed with SIGKILL after `timeoutMs`. execa is loaded only here,
 * and only when something has to be run: a pass without a change runs nothing.
 */
export const runCommand: RunCommand = async (file, args, { input, timeoutMs, stdinFd }) => {
  const { execa } = await import('execa');
  try {
    const result = await containStart(() =>
      execa(file, args, {
        env: SYSTEM_ENVIRONMENT,
        extendEnv: false,
        reject: false,
        stripFinalNewline: true,
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: 16 * 1024 * 1024,
        ...(stdinFd === undefined ? { input: input ?? '' } : { stdin: stdinFd as 3 }), // any number, not just its types' 3 to 9
      }),
    );
    return {
      exitCode: result.exitCode,
      stdout: typeof result.stdout === 'string' ? result.stdout : '',
      stderr: typeof result.stderr === 'string' ? result.stderr : '',
      failure: failureOf(file, result, timeoutMs),
    };
  } catch (error) {
    // Not even a child could be made: that is no result of execa's.
    const failure = wordStart(file, errnoOf(error) ?? messageOf(error));
    return { exitCode: undefined, stdout: '', stderr: '', failure };
  }
};

/** Loads what `runCommand` loads at its first run, which takes as long as a Node needs to start. */
export function prepareCommand(): void {
  import('execa').catch(() => {
    // The run itself will say so.
  });
}

function wordStart(file: string, reason: string): string {
  return `${file} could not be run (${reason})`;
}

function failureOf(
  file: string,
  result: {
    readonly timedOut: boolean;
    readonly signal?: string | undefined;
    readonly exitCode?: number | undefined;
    readonly code?: string | undefined;
  },
  timeoutMs: number,
): string | undefined {
  if (result.timedOut) return `${file} did not end within ${timeoutMs} ms`;
  if (result.signal !== undefined) return `${file} was killed by ${result.signal}`;
  if (result.exitCode === undefined) return wordStart(file, result.code ?? '?');
  return undefined;
}

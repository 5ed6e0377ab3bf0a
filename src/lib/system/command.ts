import type { Ending } from './process-group.ts';

/** What a child process left behind. */
export interface CommandResult {
  /** The exit status, or undefined when it was killed or could not start. */
  readonly exitCode: number | undefined;
  /** Without the newline at its end. */
  readonly stdout: string;
  readonly stderr: string;
  /** Why it did not end by itself: errno of the start, a signal, or the time limit. */
  readonly failure: string | undefined;
}

export interface CommandOptions {
  readonly timeoutMs: number;
  /** What the child reads: a text, or an open file of ours by its number. */
  readonly input?: string | number;
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

/** More than `ip` prints of a hundred thousand routes. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/**
 * Runs a program without a shell, in the root folder and with a fixed environment. Never rejects:
 * what went wrong is in the result. It and all that it started are killed after `timeoutMs`, and
 * whoever keeps its output open keeps nobody waiting. What starts a child is loaded only here: a
 * pass without a change runs nothing.
 */
export const runCommand: RunCommand = async (file, args, { input, timeoutMs }) => {
  const { runInGroup } = await import('./process-group.ts');
  const limit = new AbortController();
  const timer = setTimeout(() => {
    limit.abort();
  }, timeoutMs);
  try {
    const { ending, stdout, stderr } = await runInGroup({
      file,
      args,
      env: SYSTEM_ENVIRONMENT,
      input,
      signal: limit.signal,
      graceMs: 0,
      maxOutputBytes: MAX_OUTPUT_BYTES,
    });
    return {
      exitCode: ending.kind === 'exited' ? ending.exitStatus : undefined,
      stdout: stdout.trimEnd(),
      stderr: stderr.trimEnd(),
      failure: failureOf(file, ending, timeoutMs),
    };
  } finally {
    clearTimeout(timer);
  }
};

/** Loads what `runCommand` loads at its first run, for whoever must not lose time then. */
export async function prepareCommand(): Promise<void> {
  await import('./process-group.ts');
}

function failureOf(file: string, ending: Ending, timeoutMs: number): string | undefined {
  switch (ending.kind) {
    case 'exited':
      return undefined;
    case 'killed':
      return `${file} was killed by ${ending.signal}`;
    case 'out-of-time':
      return `${file} did not end within ${timeoutMs} ms`;
    case 'not-started':
      return `${file} could not be run (${ending.errno})`;
  }
}

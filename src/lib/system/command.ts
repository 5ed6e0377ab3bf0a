import type { ChildProcess, SpawnOptions } from 'node:child_process';
import type { Readable } from 'node:stream';
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

/** More than `ip` prints of a hundred thousand addresses. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/**
 * Runs a program without a shell and with a fixed environment. Never rejects: what went wrong is
 * in the result. The child is killed with SIGKILL after `timeoutMs`.
 *
 * Not by execa: tcp-route-probe asks `ip` at each pass, and loading execa would double the cost of
 * that. node:child_process too is loaded only here: most passes without a change run nothing.
 */
export const runCommand: RunCommand = async (file, args, { input, timeoutMs, stdinFd }) => {
  const { spawn } = await import('node:child_process');
  const options: SpawnOptions = {
    env: { PATH: SYSTEM_PATH, LC_ALL: 'C' },
    stdio: [stdinFd ?? (input === undefined ? 'ignore' : 'pipe'), 'pipe', 'pipe'],
  };
  try {
    const child = spawn(file, args, options);
    child.stdin?.on('error', ignore); // it ended without reading everything
    child.stdin?.end(input);
    return await resultOf(child, file, timeoutMs);
  } catch (error) {
    // Some failures of the start are thrown (E2BIG, ENOMEM), others are emitted (ENOENT).
    return { exitCode: undefined, stdout: '', stderr: '', failure: notRun(file, error) };
  }
};

/** Rejects with the system's error when the program did not start. */
function resultOf(child: ChildProcess, file: string, timeoutMs: number): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    let cause: string | undefined;
    const kill = (why: string): void => {
      cause ??= why;
      child.kill('SIGKILL');
      // Whoever else holds the outputs open is not waited for.
      child.stdout?.destroy();
      child.stderr?.destroy();
    };
    const tooMuch = (): void => {
      kill(`${file} printed more than ${MAX_OUTPUT_BYTES} bytes`);
    };
    const stdout = collect(child.stdout, tooMuch);
    const stderr = collect(child.stderr, tooMuch);
    const timer = setTimeout(() => {
      kill(`${file} did not end within ${timeoutMs} ms`);
    }, timeoutMs);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', (exitCode, signal) => {
      clearTimeout(timer);
      if (signal !== null) cause ??= `${file} was killed by ${signal}`;
      const ended = cause === undefined && exitCode !== null;
      resolve({
        exitCode: ended ? exitCode : undefined,
        stdout: stdout(),
        stderr: stderr(),
        failure: cause,
      });
    });
  });
}

/** Returns what gives the text so far, without the line end at its end. */
function collect(stream: Readable | null | undefined, tooMuch: () => void): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Without files left for the pipes there are no streams, and the start has failed.
  stream?.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_OUTPUT_BYTES) tooMuch();
  });
  stream?.on('error', ignore); // what was read until then is what there is
  return () =>
    Buffer.concat(chunks)
      .toString('utf8')
      .replace(/\r?\n$/, '');
}

function notRun(file: string, error: unknown): string {
  return `${file} could not be run (${errnoOf(error) ?? messageOf(error)})`;
}

function ignore(): void {
  // Nothing is to be done.
}

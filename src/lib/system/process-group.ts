import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { errnoOf } from './errors.ts';

/** A program of the user's, with what is given to it. */
export interface GroupCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** Added to our own environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The end of its time. */
  readonly signal: AbortSignal;
  /** Between SIGTERM and SIGKILL, once its time is over. */
  readonly graceMs: number;
  /** How much of each of its outputs is kept; the rest is read and dropped. */
  readonly maxOutputBytes: number;
}

/** How a run ended. */
export type Ending =
  | { readonly kind: 'exited'; readonly exitStatus: number }
  | { readonly kind: 'killed'; readonly signal: string }
  | { readonly kind: 'not-started'; readonly errno: string }
  | { readonly kind: 'out-of-time' };

export interface GroupOutcome {
  readonly ending: Ending;
  /** The beginnings of its outputs. */
  readonly stdout: string;
  readonly stderr: string;
}

/** How long the output of a program that has ended may still be on its way. */
const OUTPUT_LAG_MS = 100;

/**
 * Runs a program directly, without a shell, as the leader of a process group of its own, and
 * leaves nothing of that group behind: at the end of its time the group gets SIGTERM and then
 * SIGKILL, and what is left of it when the program ends gets SIGKILL. A grandchild that holds
 * the output open keeps nobody waiting.
 *
 * Not by execa: loading it takes several times what this whole run takes, at each pass, and the
 * group, the early return and the bounded output would still have to be made around it.
 */
export async function runInGroup(command: GroupCommand): Promise<GroupOutcome> {
  const { signal, graceMs, maxOutputBytes } = command;
  if (signal.aborted) return { ending: { kind: 'out-of-time' }, stdout: '', stderr: '' };

  let child;
  try {
    child = spawn(command.file, command.args, {
      detached: true, // setsid(2): the leader's pid is the number of the group
      env: { ...process.env, ...command.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (error) {
    // Some failures of the start are thrown (E2BIG, ENOMEM), others are emitted (ENOENT).
    const errno = errnoOf(error);
    if (errno === undefined || errno.startsWith('ERR_')) throw error;
    return { ending: { kind: 'not-started', errno }, stdout: '', stderr: '' };
  }
  const ended = endingOf(child);
  const group = child.pid;
  // Without pipes for it (EMFILE, ENFILE), Node returns a child that has no streams.
  if (group === undefined) return { ending: await ended, stdout: '', stderr: '' };
  killAtExit(group);
  const stdout = keepBeginning(child.stdout, maxOutputBytes);
  const stderr = keepBeginning(child.stderr, maxOutputBytes);
  const closed = new Promise<void>((resolve) => child.once('close', resolve));

  const ending = await Promise.race([ended, abortOf(signal)]);
  if (ending.kind === 'out-of-time') {
    signalGroup(group, 'SIGTERM');
    await atMost(graceMs, ended);
  } else {
    await atMost(OUTPUT_LAG_MS, closed);
  }
  signalGroup(group, 'SIGKILL');
  running.delete(group);
  // A process that not even SIGKILL ends (it hangs in the kernel) must not keep ours alive.
  child.stdout.destroy();
  child.stderr.destroy();
  child.unref();
  return { ending, stdout: stdout(), stderr: stderr() };
}

/** Keeps reading, so that the program never waits for a reader, and returns what was kept. */
function keepBeginning(stream: Readable, maxBytes: number): () => string {
  const chunks: Buffer[] = [];
  let have = 0;
  stream.on('data', (chunk: Buffer) => {
    if (have < maxBytes) chunks.push(chunk.subarray(0, maxBytes - have));
    have += chunk.length;
  });
  stream.on('error', () => {
    // What was read until then is what there is.
  });
  return () => Buffer.concat(chunks).toString('utf8');
}

function endingOf(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.on('error', (error) => {
      resolve({ kind: 'not-started', errno: errnoOf(error) ?? error.message });
    });
    child.once('exit', (exitStatus, signal) => {
      resolve(
        exitStatus === null
          ? { kind: 'killed', signal: signal ?? 'a signal' }
          : { kind: 'exited', exitStatus },
      );
    });
  });
}

function abortOf(signal: AbortSignal): Promise<Ending> {
  return new Promise((resolve) => {
    signal.addEventListener(
      'abort',
      () => {
        resolve({ kind: 'out-of-time' });
      },
      { once: true },
    );
  });
}

/** Waits for something, for a bounded time, and leaves no timer behind. */
async function atMost(ms: number, event: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const time = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([event, time]);
  clearTimeout(timer);
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // ESRCH: nothing of it is left. EPERM: what is left has become another user's.
  }
}

/** Groups that run now: they end with us when a signal ends us first. */
const running = new Set<number>();
let watchesExit = false;

function killAtExit(group: number): void {
  running.add(group);
  if (watchesExit) return;
  watchesExit = true;
  process.once('exit', () => {
    for (const left of running) signalGroup(left, 'SIGKILL');
  });
}

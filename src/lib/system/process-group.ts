import { spawn, type ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { readWhatArrived } from './clock.ts';
import { errnoOf } from './errors.ts';

/** A program, with what is given to it. */
export interface GroupCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** All of its environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What it reads; nothing if not given. A number is an open file of ours. */
  readonly input?: string | number | undefined;
  /** The end of its time. */
  readonly signal: AbortSignal;
  /** Between SIGTERM and SIGKILL, once its time is over. */
  readonly graceMs: number;
  /** How much of each of its outputs is kept; the rest is read and dropped. */
  readonly maxOutputBytes: number;
  /** Is told the leader's pid as soon as there is one. */
  readonly begun?: ((pid: number) => void) | undefined;
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
 * Runs a program directly, without a shell, in the root folder, as the leader of a process group
 * of its own, and leaves nothing of that group behind: at the end of its time the group gets
 * SIGTERM and then SIGKILL, and what is left of it when the program ends gets SIGKILL. A
 * grandchild that holds the output open keeps nobody waiting.
 *
 * Not in our own working folder: that may be gone, or closed to us, and then no program starts.
 * Not by execa: loading it takes several times what this whole run takes, at each pass, and the
 * group, the early return and the bounded output would still have to be made around it.
 */
export async function runInGroup(command: GroupCommand): Promise<GroupOutcome> {
  const { signal, graceMs, maxOutputBytes, input } = command;
  if (signal.aborted) return { ending: { kind: 'out-of-time' }, stdout: '', stderr: '' };

  let child;
  try {
    // A path is meant from where we were started; a name is looked for in PATH.
    const file = command.file.includes('/') ? resolve(command.file) : command.file;
    child = spawn(file, command.args, {
      cwd: '/',
      detached: true, // setsid(2): the leader's pid is the number of the group
      env: command.env,
      stdio: [stdinFor(input), 'pipe', 'pipe'],
    });
  } catch (error) {
    // Some failures of the start are thrown (E2BIG, ENOMEM), others are emitted (ENOENT).
    const errno = errnoOf(error);
    if (errno === undefined || errno.startsWith('ERR_')) throw error;
    return { ending: { kind: 'not-started', errno }, stdout: '', stderr: '' };
  }
  const ended = endingOf(child);
  // Where the kernel gives no pipes, their error follows that of the start.
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.on('error', ignore);
  const group = child.pid;
  // Without pipes for it (EMFILE, ENFILE), Node returns a child that has no streams.
  if (group === undefined) return { ending: await ended, stdout: '', stderr: '' };
  killAtExit(group);
  command.begun?.(group);
  if (typeof input === 'string') writeInput(child, input);
  const stdout = keepBeginning(child.stdout, maxOutputBytes);
  const stderr = keepBeginning(child.stderr, maxOutputBytes);
  const closed = new Promise<void>((settle) => child.once('close', settle));

  const ending = await Promise.race([ended, abortOf(signal)]);
  if (ending.kind === 'out-of-time') {
    signalGroup(group, 'SIGTERM');
    await atMost(graceMs, ended);
  } else {
    await atMost(OUTPUT_LAG_MS, closed);
    // All that the program wrote is in the pipes by now, however late this process gets to them.
    await Promise.race([closed, readWhatArrived()]);
  }
  signalGroup(group, 'SIGKILL');
  running.delete(group);
  // A process that not even SIGKILL ends (it hangs in the kernel) must not keep ours alive.
  child.stdin?.destroy();
  child.stdout?.destroy();
  child.stderr?.destroy();
  child.unref();
  return { ending, stdout: stdout(), stderr: stderr() };
}

/** The variables by which our own executables are given options. */
const OPTION_VARIABLES = 'ANYCAST_HA_';

/**
 * What a program of the user's inherits: our environment, but for what one of our own executables
 * would take for its options. Those were given to us.
 */
export function inheritedEnvironment(): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith(OPTION_VARIABLES)),
  );
}

function ignore(): void {
  // The end of the program tells what there is to tell.
}

function stdinFor(input: GroupCommand['input']): 'ignore' | 'pipe' | number {
  if (input === undefined) return 'ignore';
  return typeof input === 'number' ? input : 'pipe';
}

function writeInput(child: ChildProcess, text: string): void {
  child.stdin?.end(text);
}

/** Keeps reading, so that the program never waits for a reader, and returns what was kept. */
function keepBeginning(stream: Readable | null, maxBytes: number): () => string {
  const chunks: Buffer[] = [];
  let have = 0;
  stream?.on('data', (chunk: Buffer) => {
    if (have < maxBytes) chunks.push(chunk.subarray(0, maxBytes - have));
    have += chunk.length;
  });
  return () => Buffer.concat(chunks).toString('utf8');
}

function endingOf(child: ChildProcess): Promise<Ending> {
  return new Promise((settle) => {
    child.on('error', (error) => {
      settle({ kind: 'not-started', errno: errnoOf(error) ?? error.message });
    });
    child.once('exit', (exitStatus, signal) => {
      settle(
        exitStatus === null
          ? { kind: 'killed', signal: signal ?? 'a signal' }
          : { kind: 'exited', exitStatus },
      );
    });
  });
}

/**
 * The end of the time, one turn of the event loop late: when this process stood still itself, the
 * timer is seen before the end of a program that came in time.
 */
function abortOf(signal: AbortSignal): Promise<Ending> {
  return new Promise((settle) => {
    const end = (): void => {
      setImmediate(settle, { kind: 'out-of-time' });
    };
    signal.addEventListener('abort', end, { once: true });
  });
}

/** Waits for something, for a bounded time, and leaves no timer behind. */
async function atMost(ms: number, event: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const time = new Promise<void>((settle) => {
    timer = setTimeout(settle, ms);
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

import { fstatSync, writeSync } from 'node:fs';
import { monotonicMs } from '../system/clock.ts';
import { errnoOf } from '../system/errors.ts';
import type { Log } from '../system/log.ts';

/** Messages on stderr and results on stdout, in plain writes: process.stdout is slow to load. */
export interface Output extends Log {
  /** One line of the result. */
  result(line: string): void;
  /** Writes what was held back. */
  flush(): void;
}

export interface OutputOptions {
  readonly name: string;
  readonly verbose: boolean;
  readonly quiet: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** sd-daemon(3): what the journal takes for a line's priority. */
const PRIORITY = { step: 7, notice: 5, warning: 4, error: 3 } as const;

/**
 * Messages are held back until `flush`, so that a reader who does not read can never hold up a
 * pass that has a lock; but a person at a terminal who asked for every step sees each as it comes.
 */
export function createOutput({ name, verbose, quiet, environment }: OutputOptions): Output {
  const startedMs = monotonicMs();
  const journal = isJournal(environment['JOURNAL_STREAM']);
  const live = verbose && isTerminal(2);
  let held = '';
  const say = (level: keyof typeof PRIORITY, message: string): void => {
    if (quiet && level !== 'error') return;
    if (level === 'step' && !verbose) return;
    const time = verbose && !journal ? `${String(monotonicMs() - startedMs).padStart(5)} ms  ` : '';
    const word = level === 'warning' ? 'warning: ' : '';
    const line = `${journal ? `<${PRIORITY[level]}>` : ''}${name}: ${time}${word}${printable(message)}\n`;
    if (live) write(2, line);
    else held += line;
  };
  let results = '';
  return {
    step: (message) => {
      say('step', message);
    },
    notice: (message) => {
      say('notice', message);
    },
    warning: (message) => {
      say('warning', message);
    },
    error: (message) => {
      say('error', message);
    },
    result: (line) => {
      results += `${line}\n`;
    },
    flush: () => {
      write(2, held);
      write(1, results);
      held = results = '';
    },
  };
}

/** One line, whatever a server put into its answer: nothing that moves a cursor or forges a line. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}

/** Whether a descriptor is a terminal. node:tty loads the whole of node:net: not before it is asked. */
function isTerminal(fd: number): boolean {
  return process.getBuiltinModule('node:tty').isatty(fd);
}

/** systemd.exec(5): JOURNAL_STREAM holds device and inode of the journal's socket. */
export function isJournal(stream: string | undefined): boolean {
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(2);
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

const MAX_RETRIES = 100;

/** Writes it all; gives up when nobody reads (EPIPE, EIO …): a closed stream never ends a pass. */
export function write(fd: 1 | 2, text: string): void {
  const bytes = Buffer.from(text);
  let retries = 0;
  for (let done = 0; done < bytes.length;) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN' || ++retries > MAX_RETRIES) return;
      // A pipe that somebody else made non-blocking is full: give its reader a moment.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

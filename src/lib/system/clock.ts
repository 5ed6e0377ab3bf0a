import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { messageOf, StateError } from './errors.ts';

/**
 * A moment, on the two clocks that matter. Everything within one boot is reckoned on `bootMs`,
 * which no clock step moves and which goes on while the machine sleeps (CLOCK_BOOTTIME). The
 * wall clock serves people, and what has to outlive a reboot.
 */
export interface Moment {
  /** Milliseconds since the machine booted, to 10 ms. */
  readonly bootMs: number;
  /** Milliseconds since the epoch. */
  readonly wallMs: number;
  /** Identifies the boot that `bootMs` counts from; '' where that cannot be told. */
  readonly bootId: string;
}

export interface Clock {
  now(): Moment;
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id'; // random(4)

/** Without it nothing that was written before can be believed: that is never passed over. */
function readBootId(): string {
  try {
    return readFileSync(BOOT_ID, 'latin1').trim();
  } catch (error) {
    throw new StateError(`cannot tell which boot this is: ${messageOf(error)}`, { cause: error });
  }
}

/** Of /proc/uptime, sleep included; with no files left to open, by a system call, to the second. */
function bootMs(): number {
  const ms = Math.round(uptime() * 1000);
  if (ms % 1000 !== 0) return ms;
  // On a machine that never slept the monotonic clock is the same one, and exact.
  const exactMs = monotonicMs();
  return Math.abs(exactMs - ms) <= 1000 ? exactMs : ms;
}

let bootId: string | undefined;

/**
 * The identity of the current boot: it never changes while a process lives, so it is read once.
 * Throws StateError.
 */
export function currentBootId(): string {
  bootId ??= readBootId();
  return bootId;
}

export const systemClock: Clock = {
  now: () => ({
    bootMs: bootMs(),
    // eslint-disable-next-line no-restricted-properties -- the one place the wall clock is read
    wallMs: Date.now(),
    bootId: bootIdOrNone(),
  }),
};

function bootIdOrNone(): string {
  try {
    return currentBootId();
  } catch {
    return '';
  }
}

/** The boot of a moment, for whoever goes by it or writes it down. Throws StateError for none. */
export function bootOf({ bootId: id }: Moment): string {
  if (id === '') throw new StateError('cannot tell which boot this is');
  return id;
}

/** Milliseconds on CLOCK_MONOTONIC: one clock for all processes of a boot, standing still in sleep. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

/** Resolves after the given milliseconds, or at once when the signal is or becomes aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true || ms <= 0) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** Turns of the event loop from the arrival of an answer to its end: sockets, then what follows. */
const TURNS = 3;

/**
 * Lets everything be read that lies in sockets and pipes. When this process stood still, a timer is
 * seen before what came long before it.
 */
export async function readWhatArrived(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await new Promise(setImmediate);
}

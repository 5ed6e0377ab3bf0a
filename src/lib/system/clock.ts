import { readFileSync } from 'node:fs';

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
  /** Identifies the boot that `bootMs` counts from. */
  readonly bootId: string;
}

export interface Clock {
  now(): Moment;
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id'; // random(4)
const UPTIME = '/proc/uptime'; // proc(5): seconds since boot, sleep included

function readBootId(): string {
  return readFileSync(BOOT_ID, 'latin1').trim();
}

let bootId: string | undefined;

/** The identity of the current boot: it never changes while a process lives, so it is read once. */
export function currentBootId(): string {
  bootId ??= readBootId();
  return bootId;
}

export const systemClock: Clock = {
  now: () => ({
    bootMs: Math.round(Number.parseFloat(readFileSync(UPTIME, 'latin1')) * 1000),
    // eslint-disable-next-line no-restricted-properties -- the one place the wall clock is read
    wallMs: Date.now(),
    bootId: currentBootId(),
  }),
};

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

import { describe, expect, test } from 'vitest';
import type { OspfTimers } from '../../../src/lib/advertise/ospf-timers.ts';
import { drainAdvice } from '../../../src/lib/node/drain-advice.ts';

const [V4, V6] = ['192.0.2.1', '2001:db8::1'];

function timers(delayMs: number, holdMs: number, more: Partial<OspfTimers> = {}): OspfTimers {
  return { family: 4, delayMs, holdMs, interArea: new Set(), ...more };
}

function advice(
  drainMs: number,
  addresses: readonly string[],
  known: readonly OspfTimers[],
  movedUntilMs: number | null = null,
): string | undefined {
  return drainAdvice({ drainMs, addresses: [...addresses], movedUntilMs, untilMs: 0 }, known);
}

describe('a drain', () => {
  test('that is a second longer than the SPF delay is long enough for an external route', () => {
    expect(advice(6000, [V4], [timers(5000, 10_000)])).toBeUndefined();
    expect(advice(5000, [V4], [timers(5000, 10_000)])).toBe(
      '--drain 5s is likely too short: take at least 6s, if the routers have the SPF timers of this node',
    );
  });

  test('has to outlast two runs of SPF for an inter-area route, which a hold time keeps apart', () => {
    const slow = timers(5000, 10_000, { interArea: new Set([V4]) });
    expect(advice(21_000, [V4], [slow])).toBeUndefined();
    expect(advice(20_999, [V4], [slow])).toContain('take at least 21s');
    const longDelay = timers(5000, 1000, { interArea: new Set([V4]) });
    expect(advice(10_999, [V4], [longDelay])).toContain('take at least 11s');
  });

  test('of the default length is long enough for the timers of FRR and of Quagga', () => {
    for (const [delayMs, holdMs] of [
      [0, 50],
      [200, 1000],
    ] as const) {
      const interArea = new Set([V4]);
      expect(advice(5000, [V4], [timers(delayMs, holdMs, { interArea })])).toBeUndefined();
    }
  });

  test('is judged by the protocol of the address: the slower one counts', () => {
    const both = [timers(0, 50), timers(5000, 10_000, { family: 6 })];
    expect(advice(5000, [V4], both)).toBeUndefined();
    expect(advice(5000, [V4, V6], both)).toContain('take at least 6s');
  });

  test('is not judged where nothing is known of the network', () => {
    expect(advice(1, [V4, V6], [])).toBeUndefined();
    expect(advice(1, [V6], [timers(5000, 10_000)])).toBeUndefined();
  });

  test('of which the first half is spent on the drain interface has to be twice as long', () => {
    expect(advice(12_000, [V4], [timers(5000, 10_000)], 1)).toBeUndefined();
    expect(advice(10_000, [V4], [timers(5000, 10_000)], 1)).toContain('take at least 12s');
  });

  test('that would have to be longer than any can be asks for other timers', () => {
    expect(advice(30_000, [V4], [timers(20_000, 20_000)], 1)).toBe(
      '--drain 30s is likely too short: shorten the SPF timers, for no drain is longer than 30s, if the routers have the SPF timers of this node',
    );
  });
});

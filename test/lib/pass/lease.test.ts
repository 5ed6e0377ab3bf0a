import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { leaseTime } from '../../../src/lib/options/value-parsers.ts';
import { estimateInterval, leaseAdvice } from '../../../src/lib/pass/lease.ts';
import { exampleOptions } from '../../support/example-state.ts';

// A pass of the example's takes 2 x 1 s + 0.2 s + 2 s at most, and it falls with two.
describe('a lease', () => {
  test('of twice the time that a service takes to fall is long enough', () => {
    expect(leaseAdvice(exampleOptions({ leaseMs: 17_000 }), 2000)).toEqual([]);
  });

  test('that is shorter is warned of, with what would do', () => {
    const [advice] = leaseAdvice(exampleOptions({ leaseMs: 16_000 }), 2000);
    expect(advice).toEqual({
      key: 'short-lease',
      message: '--lease 16s is short for passes every 2s: take at least 17s',
    });
  });

  test('is not judged before the interval is known, nor where it is off', () => {
    expect(leaseAdvice(exampleOptions({ leaseMs: 2000 }), null)).toEqual([]);
    expect(leaseAdvice(exampleOptions({ leaseMs: undefined }), 3_600_000)).toEqual([]);
  });

  test('as advised is one that --lease takes and that is not warned of', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3_600_000 }),
        fc.integer({ min: 1, max: 9 }),
        (intervalMs, fall) => {
          const options = exampleOptions({ leaseMs: 2000, fall });
          const [advice] = leaseAdvice(options, intervalMs);
          const wanted = /take at least (.+)$/.exec(advice?.message ?? '')?.[1] ?? '';
          const advised = { ...options, leaseMs: leaseTime(wanted) };
          expect(leaseAdvice(advised, intervalMs)).toEqual([]);
        },
      ),
    );
  });
});

describe('the interval between passes', () => {
  test('is the first gap that is seen', () => {
    expect(estimateInterval(null, 2013)).toBe(2013);
  });

  test('follows a single odd gap by a quarter', () => {
    expect(estimateInterval(2000, 6000)).toBe(3000);
  });

  test('is no longer than four for a pause, however long that was', () => {
    expect(estimateInterval(2000, 86_400_000)).toBe(3500);
  });

  test('lies between the former one and the gap, and is a whole number', () => {
    const gap = fc.integer({ min: 0, max: 2 ** 40 });
    fc.assert(
      fc.property(gap, gap, (formerMs, gapMs) => {
        const next = estimateInterval(formerMs, gapMs);
        expect(Number.isSafeInteger(next)).toBe(true);
        expect(next).toBeGreaterThanOrEqual(Math.min(formerMs, gapMs));
        expect(next).toBeLessThanOrEqual(Math.max(formerMs, gapMs));
      }),
    );
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDuration, parseDuration } from '../../../src/lib/system/duration.ts';

describe('reading', () => {
  test.each([
    ['0', 0],
    ['0s', 0],
    ['500ms', 500],
    ['2s', 2000],
    ['1.5s', 1500],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['24d', 2_073_600_000],
    ['0.0004s', undefined],
    ['0.4ms', 0],
    ['0.125h', 450_000],
  ])('%s', (text, ms) => {
    if (ms === undefined) expect(() => parseDuration(text)).toThrow(RangeError);
    else expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    '',
    '5',
    's',
    '-1s',
    '+1s',
    '1e3s',
    '1 s',
    ' 1s',
    '1s\n',
    '1S',
    '1m30s',
    '.5s',
    '1.s',
    '0x10s',
    '١s',
    '1w',
    '24.001d',
    '999999999h',
    '9999999999ms',
  ])('%j is refused', (text) => {
    expect(() => parseDuration(text)).toThrow(RangeError);
  });

  test('gives back every whole number of every unit', () => {
    const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
    fc.assert(
      fc.property(fc.constantFrom('ms', 's', 'm', 'h', 'd'), fc.nat(24), (unit, amount) => {
        expect(parseDuration(`${amount}${unit}`)).toBe(amount * units[unit]);
      }),
    );
  });

  test('never gives anything but a whole number that a timer takes', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^\d{1,9}(\.\d{1,3})?(ms|s|m|h|d)$/), (text) => {
        let ms = 0;
        try {
          ms = parseDuration(text);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
        expect(Number.isSafeInteger(ms) && ms >= 0 && ms < 2 ** 31).toBe(true);
      }),
    );
  });
});

describe('writing', () => {
  test.each([
    [0, '0ms'],
    [350, '350ms'],
    [999.6, '1s'],
    [1000, '1s'],
    [1050, '1.1s'],
    [2340, '2.3s'],
    [9949, '9.9s'],
    [9999, '10s'],
    [59_600, '1m'],
    [250_000, '4m10s'],
    [3_599_999, '1h'],
    [3_600_000, '1h'],
    [3_601_000, '1h1s'],
    [266_400_000, '3d2h'],
    [-2000, '-2s'],
  ])('%d ms is %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  test('what is below ten seconds can be read again, to a tenth of a second', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9_999 }), (ms) => {
        const exact = ms < 1000 ? ms : Math.round(ms / 100) * 100;
        expect(parseDuration(formatDuration(ms))).toBe(exact);
      }),
    );
  });

  test('the parts of any duration add up to it, within a tenth', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 }), (ms) => {
        const parts = formatDuration(ms).match(/[\d.]+[a-z]+/g) ?? [];
        expect(parts.length === 1 || parts.length === 2).toBe(true);
        const sum = parts.map((part) => parseDuration(part)).reduce((a, b) => a + b, 0);
        expect(Math.abs(sum - ms)).toBeLessThanOrEqual(ms * 0.1);
      }),
    );
  });
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ExitStatus, worstExitStatus } from '../../../src/lib/system/exit-status.ts';

/** The order that is documented, the most severe first. */
const DOCUMENTED = [70, 71, 77, 74, 78, 69, 2, 75, 0];

test('the first of the documented order counts', () => {
  const statuses = fc.subarray(DOCUMENTED, { minLength: 1 });
  fc.assert(
    fc.property(statuses, fc.infiniteStream(fc.double({ min: 0, max: 1 })), (occurred, order) => {
      const shuffled = occurred
        .map((status) => [order.next().value, status] as const)
        .sort(([a], [b]) => a - b)
        .map(([, status]) => status);
      expect(worstExitStatus(shuffled)).toBe(occurred[0]);
    }),
  );
});

test('nothing to do is fine', () => {
  expect(worstExitStatus([])).toBe(0);
});

test('no failure is ever lost beside a success', () => {
  const { notAsItShouldBe: _, ...ofProbes } = ExitStatus;
  for (const status of Object.values(ofProbes)) {
    expect(worstExitStatus([0, status, 0])).toBe(status);
  }
});

test('an interruption tells more than what was interrupted', () => {
  expect(worstExitStatus([2, 70, 130])).toBe(130);
  expect(worstExitStatus([129, 71])).toBe(129);
});

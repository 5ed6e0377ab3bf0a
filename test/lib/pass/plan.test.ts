import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KernelView } from '../../../src/lib/advertise/advertiser.ts';
import { leaseIsDue, leaseStart } from '../../../src/lib/pass/lease.ts';
import { planChanges } from '../../../src/lib/pass/plan.ts';
import type { ServiceAddress } from '../../../src/lib/state/instance-state.ts';
import { exampleState } from '../../support/example-state.ts';

function onLo(address: string): ServiceAddress {
  return { address, interface: 'lo' };
}

const A = onLo('198.51.100.1');
const B = onLo('2001:db8::1');
const OLD = onLo('198.51.100.9');

function showing(...places: readonly ServiceAddress[]): KernelView {
  const present = new Set(places.map(({ address }) => address));
  return { present, moved: new Set(), obstacle: undefined };
}

const GOOD = { advertise: true, mayAdd: true, renew: false };

describe('the changes of a pass', () => {
  test('are none where the kernel shows what is desired', () => {
    expect(planChanges(GOOD, [A, B], [], showing(A, B))).toEqual([]);
    expect(planChanges({ ...GOOD, advertise: false }, [A, B], [], showing())).toEqual([]);
  });

  test('add what is missing, each address on its own', () => {
    expect(planChanges(GOOD, [A, B], [], showing(A))).toEqual([{ verb: 'add', place: B }]);
  });

  test('renew what is there when the lease is due, and add the rest', () => {
    expect(planChanges({ ...GOOD, renew: true }, [A, B], [], showing(A))).toEqual([
      { verb: 'renew', place: A },
      { verb: 'add', place: B },
    ]);
  });

  test('remove what must not be there', () => {
    const desire = { advertise: false, mayAdd: true, renew: true };
    expect(planChanges(desire, [A, B], [], showing(B))).toEqual([{ verb: 'remove', place: B }]);
  });

  test('take out what the configuration dropped, in any case', () => {
    for (const advertise of [true, false]) {
      const changes = planChanges({ ...GOOD, advertise, mayAdd: false }, [A], [OLD], showing());
      expect(changes).toEqual([{ verb: 'remove', place: OLD }]);
    }
  });

  test('lead to what is desired, and never touch what belongs to others', () => {
    const all = [A, B, OLD, onLo('203.0.113.7')];
    const some = fc.subarray(all);
    const desire = fc.record({
      advertise: fc.boolean(),
      mayAdd: fc.boolean(),
      renew: fc.boolean(),
    });
    fc.assert(
      fc.property(desire, fc.subarray([A, B]), some, (want, own, shown) => {
        const dropped = [OLD].filter((place) => shown.includes(place));
        const after = new Set(shown.map(({ address }) => address));
        for (const { verb, place } of planChanges(want, own, dropped, showing(...shown))) {
          expect([...own, ...dropped]).toContain(place);
          if (verb === 'remove') expect(after.delete(place.address)).toBe(true);
          else expect(want).toMatchObject({ advertise: true, mayAdd: true });
          if (verb === 'renew') expect(want.renew && after.has(place.address)).toBe(true);
          if (verb === 'add') after.add(place.address);
        }
        for (const { address } of own) {
          if (!want.advertise) expect(after).not.toContain(address);
          else if (want.mayAdd) expect(after).toContain(address);
        }
        for (const { address } of dropped) expect(after).not.toContain(address);
      }),
    );
  });
});

describe('the lease', () => {
  const cases: readonly (readonly [
    what: string,
    fromMs: number | null,
    leaseMs: number | undefined,
    nowMs: number,
    due: boolean,
  ])[] = [
    ['just set', 1000, 10_000, 1000, false],
    ['almost half spent', 1000, 10_000, 5999, false],
    ['half spent', 1000, 10_000, 6000, true],
    ['wholly spent', 1000, 10_000, 60_000, true],
    ['set at an unknown time', null, 10_000, 1000, true],
    ['set in the future', 5000, 10_000, 1000, true],
    ['without end', 1000, undefined, 900_000, false],
    ['without end, set at an unknown time', null, undefined, 1000, true],
  ];

  test.each(cases)('%s', (_, fromMs, leaseMs, nowMs, due) => {
    expect(leaseIsDue(fromMs, leaseMs, nowMs)).toBe(due);
  });

  const PLACES = exampleState().places;

  test('began when the state says, for a lease of the same length', () => {
    expect(leaseStart(exampleState(), 300_000, PLACES)).toBe(950_000);
    expect(leaseStart(exampleState({ leaseMs: null }), undefined, PLACES)).toBe(950_000);
    expect(leaseStart(exampleState({ leaseFromMs: null }), 300_000, PLACES)).toBeNull();
    expect(leaseStart(undefined, 300_000, PLACES)).toBeNull();
  });

  test('of an address that the state does not know has not begun', () => {
    const more = [...PLACES, { address: '198.51.100.2', interface: 'lo' }];
    expect(leaseStart(exampleState(), 300_000, more)).toBeNull();
    expect(leaseStart(exampleState({ places: more }), 300_000, PLACES)).toBe(950_000);
  });

  test('of another length than the kernel counts down has not begun', () => {
    expect(leaseStart(exampleState(), 600_000, PLACES)).toBeNull();
    expect(leaseStart(exampleState(), undefined, PLACES)).toBeNull();
    expect(leaseStart(exampleState({ leaseMs: null }), 300_000, PLACES)).toBeNull();
  });
});

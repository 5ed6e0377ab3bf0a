import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decide, type Circumstances } from '../../../src/lib/pass/decide.ts';
import { down, unknown, up, type Verdict } from '../../../src/lib/probe/probe.ts';
import type { StateReading } from '../../../src/lib/state/state-file.ts';
import { exampleHealth, exampleState, moment } from '../../support/example-state.ts';

const UP = up('answered');
const DOWN = down('timeout', 'no answer');
const UNKNOWN = unknown('resources', 'no sockets');
const LOST: StateReading = { kind: 'gap', gap: 'corrupt', stale: undefined };

function valid(changes: Parameters<typeof exampleState>[0] = {}): StateReading {
  return { kind: 'valid', state: exampleState(changes) };
}

/** An instance that is up, with nothing amiss, unless said otherwise. */
function circumstances(changes: Partial<Circumstances> = {}): Circumstances {
  return {
    reading: valid(),
    verdict: UP,
    suspensions: { known: true, ids: [] },
    degraded: false,
    hasEnded: false,
    present: true,
    leaseTooShort: false,
    options: { rise: 2, fall: 2, holdDownMs: 0, holdDownMaxMs: 300_000 },
    now: moment(),
    ...changes,
  };
}

describe('without a usable state', () => {
  test.each([UP, UNKNOWN, DOWN])(
    'an address that is there stays, for one verdict $status does not withdraw it',
    (verdict) => {
      const { advertise, health } = decide(circumstances({ reading: LOST, verdict }));
      expect({ advertise, status: health.status }).toEqual({ advertise: true, status: 'up' });
    },
  );

  test('an address that is not there needs rise successes', () => {
    const { advertise, health } = decide(circumstances({ reading: LOST, present: false }));
    expect(advertise).toBe(false);
    expect(health).toMatchObject({ status: 'down', successes: 1 });
  });

  test('a suspension counts as new: health starts from nothing', () => {
    const known = circumstances({ reading: LOST, suspensions: { known: true, ids: ['a'] } });
    expect(decide(known)).toMatchObject({
      advertise: false,
      health: { status: 'down', successes: 1 },
      suspensionIds: ['a'],
    });
  });

  test('the state of another boot is not gone by', () => {
    const stale = exampleState({ suspensionIds: ['old'], health: exampleHealth() });
    const reading: StateReading = { kind: 'gap', gap: 'other-boot', stale };
    expect(decide(circumstances({ reading, present: false }))).toMatchObject({
      advertise: false,
      suspensionIds: [],
    });
  });
});

describe('a suspension', () => {
  test('that is new resets health, and what this pass saw counts', () => {
    const known = circumstances({ suspensions: { known: true, ids: ['a'] } });
    expect(decide(known)).toMatchObject({
      advertise: false,
      health: { status: 'down', successes: 1, failures: 0 },
    });
  });

  test('that goes on leaves health to the verdicts, so that it can come back at once', () => {
    const reading = valid({
      suspensionIds: ['a'],
      health: exampleHealth({ status: 'down', successes: 1 }),
    });
    const suspended = decide(circumstances({ reading, suspensions: { known: true, ids: ['a'] } }));
    expect(suspended).toMatchObject({ advertise: false, health: { status: 'up' } });
    const resumed = decide(circumstances({ reading, suspensions: { known: true, ids: [] } }));
    expect(resumed).toMatchObject({ advertise: true, mayAdd: true, suspensionIds: [] });
  });

  test('of a second holder resets health again', () => {
    const reading = valid({ suspensionIds: ['a'] });
    const known = circumstances({ reading, suspensions: { known: true, ids: ['a', 'b'] } });
    expect(decide(known).health.status).toBe('down');
  });

  test('that cannot be told withdraws nothing and adds nothing', () => {
    const known = circumstances({ suspensions: { known: false } });
    expect(decide(known)).toMatchObject({ advertise: true, mayAdd: false });
  });

  test('that cannot be told any more goes on', () => {
    const reading = valid({ suspensionIds: ['a'] });
    const known = circumstances({ reading, suspensions: { known: false } });
    expect(decide(known)).toMatchObject({ advertise: false, mayAdd: false, suspensionIds: ['a'] });
  });
});

describe('where nothing can be written', () => {
  test('one failure is enough to go down', () => {
    expect(decide(circumstances({ degraded: true, verdict: DOWN }))).toMatchObject({
      advertise: false,
      health: { status: 'down' },
    });
  });

  test('a success keeps what is there and adds nothing', () => {
    const known = circumstances({ degraded: true });
    expect(decide(known)).toMatchObject({ advertise: true, mayAdd: false });
  });
});

describe('with a lease that is over before the next pass comes', () => {
  test('a success counts, and adds nothing', () => {
    const known = circumstances({ leaseTooShort: true });
    expect(decide(known)).toMatchObject({ advertise: true, mayAdd: false });
  });
});

describe('from a state that is older than its lease', () => {
  const stale = exampleState();
  const aged = { ...stale, health: exampleHealth({ status: 'down', successes: 1 }) };
  const reading = { kind: 'gap', gap: 'expired', stale, aged } as const;

  test('the counters go on, and the health is down', () => {
    expect(decide(circumstances({ reading, present: false })).health).toMatchObject({
      status: 'up', // the second success
      successes: 2,
    });
    const first = {
      ...reading,
      aged: { ...aged, health: exampleHealth({ status: 'down', successes: 0 }) },
    };
    expect(decide(circumstances({ reading: first, present: false })).health.status).toBe('down');
  });

  test('a service that is advertised all the same does not flap', () => {
    expect(decide(circumstances({ reading, present: true }))).toMatchObject({ advertise: true });
  });
});

describe('after the end of its service', () => {
  const after = (changes: Partial<Circumstances> = {}): Circumstances =>
    circumstances({ hasEnded: true, present: false, ...changes });
  const down = exampleHealth({ status: 'down', successes: 1, changedAtMs: 900_000 });

  test('an instance is down at once, and counts its successes anew', () => {
    const { health, advertise } = decide(after());
    expect(health).toMatchObject({ status: 'down', successes: 1, failures: 0, flaps: 1 });
    expect(advertise).toBe(false);
    expect(decide(after({ verdict: UNKNOWN, present: true })).advertise).toBe(false);
  });

  test('one good pass is enough where --rise is 1', () => {
    const options = { rise: 1, fall: 2, holdDownMs: 0, holdDownMaxMs: 300_000 };
    expect(decide(after({ options }))).toMatchObject({ advertise: true, mayAdd: true });
  });

  test('a service that dies over and over meets the hold-down', () => {
    const options = { rise: 1, fall: 2, holdDownMs: 10_000, holdDownMaxMs: 300_000 };
    const { health, advertise } = decide(after({ options }));
    expect(advertise).toBe(false);
    expect(health).toMatchObject({ flaps: 1, holdUntilMs: 1_010_000 });
    const again = valid({ health: exampleHealth({ flaps: 1, changedAtMs: 990_000 }) });
    expect(decide(after({ options, reading: again })).health).toMatchObject({
      flaps: 2,
      holdUntilMs: 1_020_000,
    });
  });

  test('one that was taken out before as planned has not flapped', () => {
    const { health } = decide(after({ reading: valid({ health: down }), verdict: DOWN }));
    expect(health).toMatchObject({ status: 'down', successes: 0, flaps: 0, changedAtMs: 900_000 });
    // While it is suspended probing goes on, and may have found it up.
    const reading = valid({ advertising: false, suspensionIds: ['a'] });
    expect(decide(after({ reading })).health).toMatchObject({ status: 'down', flaps: 0 });
  });
});

const verdicts = fc.constantFrom<Verdict>(UP, DOWN, UNKNOWN);
const ids = fc.subarray(['a', 'b', 'c']);
const anyCircumstances: fc.Arbitrary<Circumstances> = fc.record({
  leaseTooShort: fc.boolean(),
  hasEnded: fc.boolean(),
  reading: fc.oneof(
    fc.constant(LOST),
    fc
      .record({
        status: fc.constantFrom('up' as const, 'down' as const),
        successes: fc.nat(3),
        failures: fc.nat(3),
        holdUntilMs: fc.nat(2_000_000),
        suspensionIds: ids,
      })
      .map(({ suspensionIds, ...health }) =>
        valid({ suspensionIds, health: exampleHealth(health) }),
      ),
  ),
  verdict: verdicts,
  suspensions: fc.oneof(
    ids.map((known) => ({ known: true as const, ids: known })),
    fc.constant({ known: false as const }),
  ),
  degraded: fc.boolean(),
  present: fc.boolean(),
  options: fc.record({
    rise: fc.integer({ min: 1, max: 4 }),
    fall: fc.integer({ min: 1, max: 4 }),
    holdDownMs: fc.constant(0),
    holdDownMaxMs: fc.constant(300_000),
  }),
  now: fc.nat(2_000_000).map((bootMs) => moment(bootMs)),
});

describe('whatever is known', () => {
  test('a suspension always wins', () => {
    fc.assert(
      fc.property(anyCircumstances, (known) => {
        const { suspensionIds, advertise } = decide(known);
        if (known.suspensions.known) expect(suspensionIds).toEqual(known.suspensions.ids);
        if (suspensionIds.length > 0) expect(advertise).toBe(false);
      }),
    );
  });

  test('only a pass whose verdict is up, which can write and knows of the suspensions, may add', () => {
    fc.assert(
      fc.property(anyCircumstances, (known) => {
        expect(decide(known).mayAdd).toBe(
          known.verdict.status === 'up' &&
            !known.degraded &&
            known.suspensions.known &&
            !known.leaseTooShort,
        );
      }),
    );
  });

  test('a failure where nothing can be written withdraws', () => {
    fc.assert(
      fc.property(anyCircumstances, (known) => {
        expect(decide({ ...known, degraded: true, verdict: DOWN }).advertise).toBe(false);
      }),
    );
  });

  test('losing the state changes nothing of what the network sees, unless one verdict is enough', () => {
    fc.assert(
      fc.property(anyCircumstances, (known) => {
        const lost = {
          ...known,
          reading: LOST,
          suspensions: { known: true as const, ids: [] },
          degraded: false,
          hasEnded: false,
        };
        const { rise, fall } = known.options;
        const enough =
          (known.verdict.status === 'up' && rise === 1) ||
          (known.verdict.status === 'down' && fall === 1);
        if (!enough) expect(decide(lost).advertise).toBe(known.present);
      }),
    );
  });
});

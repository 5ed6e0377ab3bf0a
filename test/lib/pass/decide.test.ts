import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  nextHealth,
  healthAfterWithdrawal,
  holdDownLeft,
  type DecisionOptions,
  type VerdictStatus,
} from '../../../src/lib/pass/decide.ts';
import { initialHealth, parseState, type Health } from '../../../src/lib/state/instance-state.ts';
import { exampleHealth, exampleState, moment } from '../../support/example-state.ts';

const options: DecisionOptions = { rise: 2, fall: 3, holdDownMs: 0, holdDownMaxMs: 300_000 };

/** Letters for verdicts: u(p), d(own), ? (unknown). */
const VERDICTS: Readonly<Record<string, VerdictStatus>> = { u: 'up', d: 'down', '?': 'unknown' };

/** The health after each of a row of verdicts, `everyMs` apart, from the given one. */
function healths(
  letters: string,
  from: Health = initialHealth('down', moment(0)),
  decision: DecisionOptions = options,
  everyMs = 1000,
): readonly Health[] {
  let health = from;
  return Array.from(letters, (letter, index) => {
    health = nextHealth(health, VERDICTS[letter] ?? 'unknown', decision, (index + 1) * everyMs);
    return health;
  });
}

/** `U` for up and `D` for down after each verdict. */
function course(...args: Parameters<typeof healths>): string {
  return healths(...args)
    .map(({ status }) => (status === 'up' ? 'U' : 'D'))
    .join('');
}

describe('hysteresis', () => {
  const cases: readonly (readonly [from: 'up' | 'down', verdicts: string, statuses: string])[] = [
    ['down', 'u', 'D'],
    ['down', 'uu', 'DU'],
    ['down', 'udu', 'DDD'],
    ['down', 'uduu', 'DDDU'],
    ['down', 'u?u', 'DDU'],
    ['down', '????', 'DDDD'],
    ['down', 'dddd', 'DDDD'],
    ['up', 'd', 'U'],
    ['up', 'dd', 'UU'],
    ['up', 'ddd', 'UUD'],
    ['up', 'ddudd', 'UUUUU'],
    ['up', 'ddud?d?d', 'UUUUUUUD'],
    ['up', '????', 'UUUU'],
    ['up', 'dddu', 'UUDD'],
    ['up', 'ddduu', 'UUDDU'],
  ];

  test.each(cases)('rise 2, fall 3, from %s: %s gives %s', (from, verdicts, statuses) => {
    expect(course(verdicts, initialHealth(from, moment(0)))).toBe(statuses);
  });

  test('rise 1 and fall 1 follow every verdict', () => {
    const decision = { ...options, rise: 1, fall: 1 };
    expect(course('ududd?u', initialHealth('down', moment(0)), decision)).toBe('UDUDDDU');
  });

  test('counters stop at their threshold, and the moment of a change is remembered', () => {
    expect(healths('uuuuddd').map(({ successes, failures }) => [successes, failures])).toEqual([
      [1, 0],
      [2, 0],
      [2, 0],
      [2, 0],
      [0, 1],
      [0, 2],
      [0, 3],
    ]);
    expect(healths('uuuuddd').map(({ changedAtMs }) => changedAtMs)).toEqual([
      0, 2000, 2000, 2000, 2000, 2000, 7000,
    ]);
  });
});

describe('hold-down', () => {
  const held: DecisionOptions = { rise: 1, fall: 1, holdDownMs: 5000, holdDownMaxMs: 20_000 };
  const up = initialHealth('up', moment(0));

  test('keeps it down for its time after it went down, whatever the probe says', () => {
    expect(course('duuuuuu', up, held)).toBe('DDDDDUU');
  });

  test('is not for an instance that was never up', () => {
    expect(course('u', undefined, held)).toBe('U');
  });

  test('doubles with each flap up to its maximum, and is forgotten after a quiet time', () => {
    const spans: number[] = [];
    let health: Health = up;
    let nowMs = 1000;
    for (const upForMs of [100, 100, 100, 100, 20_000, 19_999]) {
      health = nextHealth(health, 'down', held, nowMs);
      spans.push(holdDownLeft(health, held, nowMs));
      nowMs = health.holdUntilMs;
      health = nextHealth(health, 'up', held, nowMs);
      expect(health.status).toBe('up');
      nowMs += upForMs;
    }
    health = nextHealth(health, 'down', held, nowMs);
    spans.push(holdDownLeft(health, held, nowMs));
    expect(spans).toEqual([5000, 10_000, 20_000, 20_000, 20_000, 5000, 10_000]);
  });

  test('counts successes meanwhile, so that it goes up with the first one after it', () => {
    const decision = { ...held, rise: 3 };
    expect(course('duuuuuu', up, decision)).toBe('DDDDDUU');
  });

  test('a longer one than any that could have been decided does not bind', () => {
    const wild = exampleHealth({ status: 'down', holdUntilMs: Number.MAX_SAFE_INTEGER });
    expect(holdDownLeft(wild, held, 1000)).toBe(0);
    expect(nextHealth(wild, 'up', held, 1000).status).toBe('up');
  });
});

const statusArbitrary = fc.constantFrom<VerdictStatus>('up', 'down', 'unknown');
const bootMoment = fc.integer({ min: 0, max: 10_000_000 });

const optionsArbitrary: fc.Arbitrary<DecisionOptions> = fc
  .record({
    rise: fc.integer({ min: 1, max: 6 }),
    fall: fc.integer({ min: 1, max: 6 }),
    holdDownMaxMs: fc.integer({ min: 0, max: 1_000_000 }),
    part: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ part, ...rest }) => ({ ...rest, holdDownMs: Math.floor(part * rest.holdDownMaxMs) }));

/** Anything that a state file may hold and the check of it lets through. */
const wildNumber = fc.oneof(
  fc.integer({ min: 0, max: 10 }),
  bootMoment,
  fc.maxSafeNat(),
  fc.constant(Number.MAX_SAFE_INTEGER),
);
const wildHealth: fc.Arbitrary<Health> = fc.record({
  status: fc.constantFrom('up', 'down'),
  successes: wildNumber,
  failures: wildNumber,
  changedAtMs: wildNumber,
  flaps: wildNumber,
  holdUntilMs: wildNumber,
});

/** Verdicts with the time that passes before each; now and then the clock jumps, either way. */
const history = fc.array(
  fc.record({
    status: statusArbitrary,
    gapMs: fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: 0, max: 100_000 }) },
      { weight: 1, arbitrary: fc.integer({ min: -1_000_000, max: 1_000_000 }) },
    ),
  }),
  { maxLength: 60 },
);

interface Step {
  readonly before: Health;
  readonly after: Health;
  readonly status: VerdictStatus;
  readonly nowMs: number;
}

function replay(
  from: Health,
  decision: DecisionOptions,
  verdicts: readonly { status: VerdictStatus; gapMs: number }[],
): readonly Step[] {
  let before = from;
  let nowMs = 1_000_000;
  return verdicts.map(({ status, gapMs }) => {
    nowMs = Math.max(0, nowMs + gapMs);
    const after = nextHealth(before, status, decision, nowMs);
    const step = { before, after, status, nowMs };
    before = after;
    return step;
  });
}

/** How many of the latest verdicts were of a kind, `unknown` left out. */
function inARow(steps: readonly Step[], status: VerdictStatus): number {
  const known = steps.map((step) => step.status).filter((each) => each !== 'unknown');
  const other = known.findLastIndex((each) => each !== status);
  return known.length - 1 - other;
}

describe('whatever comes, in whatever order, at whatever time', () => {
  test('it never goes up with fewer than rise successes in a row, nor down with fewer than fall failures', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('up' as const, 'down' as const),
        optionsArbitrary,
        history,
        (start, decision, verdicts) => {
          const steps = replay(initialHealth(start, moment(0)), decision, verdicts);
          steps.forEach(({ before, after }, index) => {
            if (before.status === after.status) return;
            const soFar = steps.slice(0, index + 1);
            if (after.status === 'up')
              expect(inARow(soFar, 'up')).toBeGreaterThanOrEqual(decision.rise);
            else expect(inARow(soFar, 'down')).toBeGreaterThanOrEqual(decision.fall);
          });
        },
      ),
    );
  });

  test('unknown changes nothing', () => {
    fc.assert(
      fc.property(wildHealth, optionsArbitrary, bootMoment, (health, decision, nowMs) => {
        expect(nextHealth(health, 'unknown', decision, nowMs)).toEqual(health);
      }),
    );
  });

  test('with a steady clock it goes down at the fall-th failure in a row, and stays for its hold-down', () => {
    const steady = fc.array(
      fc.record({ status: statusArbitrary, gapMs: fc.integer({ min: 0, max: 50_000 }) }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(optionsArbitrary, steady, (decision, verdicts) => {
        const steps = replay(initialHealth('up', moment(0)), decision, verdicts);
        let downSinceMs = Number.NEGATIVE_INFINITY;
        steps.forEach(({ before, after, nowMs }, index) => {
          if (inARow(steps.slice(0, index + 1), 'down') >= decision.fall)
            expect(after.status).toBe('down');
          if (before.status === 'up' && after.status === 'down') downSinceMs = nowMs;
          if (before.status === 'down' && after.status === 'up')
            expect(nowMs - downSinceMs).toBeGreaterThanOrEqual(decision.holdDownMs);
        });
      }),
    );
  });

  test('successes alone bring any health up, after rise of them and the longest hold-down at the latest', () => {
    fc.assert(
      fc.property(wildHealth, optionsArbitrary, bootMoment, (wild, decision, startMs) => {
        let health = wild;
        for (let count = 1; count <= decision.rise; count++)
          health = nextHealth(health, 'up', decision, startMs);
        health = nextHealth(health, 'up', decision, startMs + decision.holdDownMaxMs);
        expect(health.status).toBe('up');
      }),
    );
  });

  test('failures alone bring any health down, after fall of them', () => {
    fc.assert(
      fc.property(wildHealth, optionsArbitrary, bootMoment, (wild, decision, nowMs) => {
        let health = wild;
        for (let count = 1; count <= decision.fall; count++)
          health = nextHealth(health, 'down', decision, nowMs);
        expect(health.status).toBe('down');
      }),
    );
  });

  test('the hold-down that is left is never negative and never above its maximum', () => {
    fc.assert(
      fc.property(wildHealth, optionsArbitrary, history, (wild, decision, verdicts) => {
        for (const { after, nowMs } of replay(wild, decision, verdicts)) {
          const leftMs = holdDownLeft(after, decision, nowMs);
          expect(leftMs).toBeGreaterThanOrEqual(0);
          expect(leftMs).toBeLessThanOrEqual(decision.holdDownMaxMs);
        }
      }),
    );
  });

  test('what is decided can be written and read again', () => {
    fc.assert(
      fc.property(wildHealth, optionsArbitrary, history, (wild, decision, verdicts) => {
        for (const { after } of replay(wild, decision, verdicts)) {
          const state = exampleState({ health: healthAfterWithdrawal(after, 1000) });
          expect(parseState(JSON.stringify(state))).toEqual(state);
          const decided = exampleState({ health: after });
          expect(parseState(JSON.stringify(decided))).toEqual(decided);
        }
      }),
    );
  });
});

describe('a planned withdrawal', () => {
  test('leaves it down with nothing counted, and is no flap', () => {
    const before = exampleHealth({ flaps: 3, holdUntilMs: 400_000 });
    expect(healthAfterWithdrawal(before, 1_000_000)).toEqual({
      status: 'down',
      successes: 0,
      failures: 0,
      changedAtMs: 1_000_000,
      flaps: 3,
      holdUntilMs: 400_000,
    });
  });

  test('of one that is down already does not change since when, nor shorten its hold-down', () => {
    const before = exampleHealth({ status: 'down', successes: 1, holdUntilMs: 1_100_000 });
    const after = healthAfterWithdrawal(before, 1_000_000);
    expect(after).toEqual({ ...before, successes: 0 });
    expect(holdDownLeft(after, options, 1_000_000)).toBe(100_000);
  });
});

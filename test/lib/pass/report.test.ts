import { describe, expect, test } from 'vitest';
import { nextState, type PassFacts } from '../../../src/lib/pass/next-state.ts';
import { gapMessage, repairs, transitionOf } from '../../../src/lib/pass/report.ts';
import { down, unknown, up } from '../../../src/lib/probe/probe.ts';
import { parseState } from '../../../src/lib/state/instance-state.ts';
import {
  exampleHealth,
  exampleOptions,
  exampleState,
  moment,
} from '../../support/example-state.ts';

const A = '198.51.100.1';
const HERE = new Set([A]);
const GONE = new Set<string>();
const DOWN = down('timeout', 'no answer');

/** The end of a pass that changed nothing, unless said otherwise. */
function facts(changes: Partial<PassFacts> = {}): PassFacts {
  return {
    options: exampleOptions(),
    kind: 'address',
    before: exampleState(),
    wasAdvertising: true,
    present: HERE,
    assessment: { health: exampleHealth(), advertise: true, mayAdd: true, suspensionIds: [] },
    verdict: up('answered'),
    leftOver: [],
    leaseFromMs: 950_000,
    drain: null,
    warned: [],
    durationMs: 12,
    now: moment(),
    ...changes,
  };
}

const FALLEN = { ...facts().assessment, health: exampleHealth({ status: 'down' }) };
const SUSPENSION = {
  holder: 'backup',
  id: '00',
  reason: '',
  sinceWallMs: undefined,
  leftMs: undefined,
  acrossReboot: false,
  unreadable: false,
  boundToProcess: false,
  login: undefined,
};

describe('a transition', () => {
  test('is none where the network sees the same as before', () => {
    expect(transitionOf(facts(), [])).toBeUndefined();
    expect(transitionOf(facts({ wasAdvertising: false, present: GONE }), [])).toBeUndefined();
  });

  test('is told with its reason', () => {
    const cases = [
      [facts({ wasAdvertising: false }), [], 'up', 'service up'],
      [facts({ present: GONE, verdict: DOWN, assessment: FALLEN }), [], 'down', 'timeout'],
      [
        facts({ present: GONE, verdict: DOWN, assessment: FALLEN }),
        [SUSPENSION],
        'down',
        'suspended',
      ],
      [facts({ present: GONE, verdict: DOWN }), [], 'down', 'vanished'],
      [facts({ present: GONE, verdict: unknown('resources', 'x') }), [], 'down', 'vanished'],
    ] as const;
    for (const [given, suspensions, to, reason] of cases) {
      expect(transitionOf(given, suspensions)).toMatchObject({ to, reason });
    }
  });
});

test('only what is there again after it was missing was put back', () => {
  const place = { address: A, interface: 'lo' };
  const add = [{ verb: 'add', place }] as const;
  expect(repairs(add, facts())).toEqual([`put ${A}/32 dev lo back, which was missing`]);
  expect(repairs(add, facts({ wasAdvertising: false }))).toEqual([]);
  expect(repairs(add, facts({ present: GONE }))).toEqual([]);
  expect(repairs([{ verb: 'renew', place }], facts())).toEqual([]);
});

test('each gap in the state is told in its own words', () => {
  const gaps = ['missing', 'unreadable', 'corrupt', 'newer', 'other-boot', 'expired'] as const;
  expect(new Set(gaps.map(gapMessage)).size).toBe(gaps.length);
});

describe('the state that a pass leaves', () => {
  test('is one that the next pass can read', () => {
    const verdict = down('timeout', 'x'.repeat(100_000));
    const state = nextState(facts({ verdict, before: undefined }));
    expect(parseState(JSON.stringify(state))).toEqual(state);
    expect(state.lastPass).toMatchObject({ status: 'down', reason: 'timeout', atMs: 1_000_000 });
  });

  test('remembers when the network last saw a change, and counts it', () => {
    expect(nextState(facts())).toMatchObject({ advertisingChangedAtMs: 500_000, transitions: 1 });
    expect(nextState(facts({ present: GONE }))).toMatchObject({
      advertising: false,
      advertisingChangedAtMs: 1_000_000,
      transitions: 2,
      leaseFromMs: null,
    });
  });

  test('keeps what is still to be removed, with the drain and what was warned of', () => {
    const leftOver = [{ address: '198.51.100.9', interface: 'lo' }];
    const drain = { untilMs: 1_005_000, addresses: [A] };
    const state = nextState(facts({ leftOver, drain, warned: ['doubt'] }));
    expect(state.places.map(({ address }) => address)).toEqual([A, '198.51.100.9']);
    expect(state).toMatchObject({ drain, warned: ['doubt'] });
  });

  test('learns the interval from the second pass on', () => {
    const first = nextState(facts({ before: undefined }));
    expect(first.intervalMs).toBeNull();
    const second = nextState(facts({ before: first, now: moment(1_002_000) }));
    expect(second.intervalMs).toBe(2000);
    const backwards = nextState(facts({ before: second, now: moment(0) }));
    expect(backwards.intervalMs).toBe(1500);
  });
});

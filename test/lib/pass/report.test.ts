import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../../src/lib/pass/facts.ts';
import { nextState } from '../../../src/lib/pass/next-state.ts';
import { gapMessage, repairs, transitionOf } from '../../../src/lib/pass/report.ts';
import { openReadOnly } from '../../../src/lib/pass/session.ts';
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
function outcome(changes: Partial<Outcome> = {}): Outcome {
  return {
    session: openReadOnly(exampleOptions({ stateDir: '/nonexistent' }), {
      clock: { now: () => moment() },
      ownUid: 0,
    }),
    options: exampleOptions(),
    kind: 'address',
    before: exampleState(),
    wasAdvertising: true,
    view: { present: HERE, moved: new Set(), obstacle: undefined },
    suspended: { active: [], error: undefined },
    service: { news: undefined, voidsProbe: false, id: null, hasEndedSince: () => false },
    present: HERE,
    decision: { health: exampleHealth(), advertise: true, mayAdd: true, suspensionIds: [] },
    verdict: up('answered'),
    dropped: [],
    leftOver: [],
    changes: [],
    renews: false,
    failures: [],
    leaseFromMs: 950_000,
    drain: null,
    warned: [],
    durationMs: 12,
    now: moment(),
    ...changes,
  };
}

const FALLEN = { ...outcome().decision, health: exampleHealth({ status: 'down' }) };
const SUSPENDED = {
  error: undefined,
  active: [
    {
      holder: 'backup',
      id: '00',
      reason: '',
      sinceWallMs: undefined,
      leftMs: undefined,
      acrossReboot: false,
      unreadable: false,
      boundToProcess: false,
      login: undefined,
    },
  ],
};

describe('a transition', () => {
  test('is none where the network sees the same as before', () => {
    expect(transitionOf(outcome())).toBeUndefined();
    expect(transitionOf(outcome({ wasAdvertising: false, present: GONE }))).toBeUndefined();
  });

  test('is told with its reason', () => {
    const cases = [
      [{ wasAdvertising: false, present: HERE }, 'up', 'service up'],
      [{ verdict: DOWN, decision: FALLEN }, 'down', 'timeout'],
      [{ verdict: DOWN, decision: FALLEN, suspended: SUSPENDED }, 'down', 'suspended'],
      [{ verdict: DOWN }, 'down', 'vanished'],
      [{ verdict: unknown('resources', 'x') }, 'down', 'vanished'],
    ] as const;
    for (const [given, to, reason] of cases) {
      expect(transitionOf(outcome({ present: GONE, ...given }))).toMatchObject({ to, reason });
    }
  });
});

describe('the end of the service', () => {
  const news = { id: '1:2', words: 'unbound.service ended (SIGKILL)', wallMs: 0 };
  const service = { news, voidsProbe: false, id: '1:2', hasEndedSince: () => false };
  const where = `${A}/32 dev lo`;

  test('is told as what it is, and by whom it was withdrawn', () => {
    expect(transitionOf(outcome({ service, present: GONE, decision: FALLEN }))).toEqual({
      to: 'down',
      reason: 'ended',
      message: `down: ${where} is gone from the kernel: unbound.service ended (SIGKILL): withdrawn by systemd`,
    });
    const changes = [{ verb: 'remove', place: { address: A, interface: 'lo' } }] as const;
    expect(transitionOf(outcome({ service, present: GONE, changes }))?.message).toBe(
      `down: withdrew ${where}: unbound.service ended (SIGKILL)`,
    );
  });

  test('is told, too, where the same pass puts the address back', () => {
    const changes = [{ verb: 'add', place: { address: A, interface: 'lo' } }] as const;
    expect(repairs(outcome({ service, changes }))).toEqual([
      `put ${where} back: unbound.service ended (SIGKILL), and is back`,
    ]);
  });

  test('is remembered', () => {
    expect(nextState(outcome({ service })).serviceEnd).toBe('1:2');
  });
});

test('only what is there again after it was missing was put back', () => {
  const place = { address: A, interface: 'lo' };
  const changes = [{ verb: 'add', place }] as const;
  expect(repairs(outcome({ changes }))).toEqual([`put ${A}/32 dev lo back, which was missing`]);
  expect(repairs(outcome({ changes, wasAdvertising: false }))).toEqual([]);
  expect(repairs(outcome({ changes, present: GONE }))).toEqual([]);
  expect(repairs(outcome({ changes: [{ verb: 'renew', place }] }))).toEqual([]);
});

test('each gap in the state is told in its own words', () => {
  const gaps = ['missing', 'unreadable', 'corrupt', 'newer', 'other-boot', 'expired'] as const;
  expect(new Set(gaps.map(gapMessage)).size).toBe(gaps.length);
});

describe('the state that a pass leaves', () => {
  test('is one that the next pass can read', () => {
    const verdict = down('timeout', 'x'.repeat(100_000));
    const state = nextState(outcome({ verdict, before: undefined }));
    expect(parseState(JSON.stringify(state))).toEqual(state);
    expect(state.lastPass).toMatchObject({ status: 'down', reason: 'timeout', atMs: 1_000_000 });
  });

  test('remembers when the network last saw a change, and counts it', () => {
    expect(nextState(outcome())).toMatchObject({ advertisingChangedAtMs: 500_000, transitions: 1 });
    expect(nextState(outcome({ present: GONE }))).toMatchObject({
      advertising: false,
      advertisingChangedAtMs: 1_000_000,
      transitions: 2,
      leaseFromMs: null,
    });
  });

  test('keeps what is still to be removed, with the drain and what was warned of', () => {
    const leftOver = [{ address: '198.51.100.9', interface: 'lo' }];
    const drain = { movedUntilMs: null, untilMs: 1_005_000, addresses: [A] };
    const state = nextState(outcome({ leftOver, drain, warned: ['doubt'] }));
    expect(state.places.map(({ address }) => address)).toEqual([A, '198.51.100.9']);
    expect(state).toMatchObject({ drain, warned: ['doubt'] });
  });

  test('learns the interval from the second pass on', () => {
    const first = nextState(outcome({ before: undefined }));
    expect(first.intervalMs).toBeNull();
    const second = nextState(outcome({ before: first, now: moment(1_002_000) }));
    expect(second.intervalMs).toBe(2000);
    const backwards = nextState(outcome({ before: second, now: moment(0) }));
    expect(backwards.intervalMs).toBe(1500);
  });
});

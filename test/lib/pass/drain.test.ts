import { rmSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { Interruption } from '../../../src/lib/pass/ports.ts';
import { withdrawInstance } from '../../../src/lib/pass/withdraw-instance.ts';
import { down, up } from '../../../src/lib/probe/probe.ts';
import { KernelError } from '../../../src/lib/system/errors.ts';
import { removeSuspension, writeSuspension } from '../../../src/lib/state/suspensions.ts';
import { PassBench } from '../../support/pass-bench.ts';
import '../../support/same-cases.ts';

const ADDRESS = '198.51.100.1';
const ON_LO = `${ADDRESS}/32 dev lo`;
const MOVED = `${ADDRESS}/32 dev ha-drain`;
const DOWN = down('timeout', 'no answer');
const DRAIN_MS = 10_000;

const benches: PassBench[] = [];
afterEach(() => {
  for (const bench of benches.splice(0)) bench.dispose();
});

/** A bench whose instance advertises, on a node with a drain interface that keeps its lifetimes. */
async function advertisingBench(): Promise<PassBench> {
  const bench = new PassBench({ rise: 1, drainMs: DRAIN_MS, drainInterface: 'ha-drain' });
  benches.push(bench);
  bench.kernel.drainInterface = 'ha-drain';
  await bench.pass();
  expect([...bench.kernel.places]).toEqual([ON_LO]);
  bench.kernel.applied.length = 0;
  return bench;
}

function suspend(bench: PassBench): void {
  const request = {
    ...{ instance: 'sample', holder: 'manual', reason: 'work', forMs: undefined },
    ...{ acrossReboot: false, processes: undefined },
  };
  writeSuspension(path.join(bench.stateDir, 'suspensions'), request, bench.now());
}

function resume(bench: PassBench): void {
  removeSuspension(path.join(bench.stateDir, 'suspensions'), 'sample', 'manual');
}

/** A pass whose probe is interrupted by somebody who suspends. */
async function passThatLeaves(bench: PassBench): Promise<void> {
  await bench.pass(
    {},
    {
      probe: () => {
        suspend(bench);
        return Promise.resolve(up('answered'));
      },
    },
  );
}

/** What becomes of an instance whose pass gets a signal. */
async function signal(bench: PassBench, request: Interruption): Promise<void> {
  await bench.pass(
    {},
    { interrupts: { ...NEVER, requested: () => request }, probe: () => Promise.resolve(DOWN) },
  );
  const ports = bench.ports();
  await withdrawInstance(bench.options(), ports, 'withdraw');
}
const never = new AbortController().signal;
const NEVER = { signal: never, hurry: never };

describe('a pass that leaves as planned', () => {
  test('moves the address, answers through a local route, and the state says until when', async () => {
    const bench = await advertisingBench();
    await passThatLeaves(bench);
    expect(bench.kernel.applied).toEqual([`drain ${ON_LO}`, `remove ${ON_LO}`, `move ${MOVED}`]);
    const drain = {
      movedUntilMs: bench.nowMs + 5000,
      untilMs: bench.nowMs + DRAIN_MS,
      addresses: [ADDRESS],
    };
    expect(bench.state()).toMatchObject({
      state: { drain, drainMs: DRAIN_MS, drainInterface: 'ha-drain' },
    });
  });

  test('goes by local routes alone where the interface cannot be made, and says so once', async () => {
    const bench = await advertisingBench();
    bench.kernel.prepareDrain = () => Promise.reject(new KernelError('cannot make ha-drain: no'));
    bench.kernel.hasDrainInterface = () => false;
    await bench.pass();
    expect(bench.lines).toEqual([
      expect.stringContaining('warning: there is no interface ha-drain, and it cannot be made'),
    ]);
    await bench.pass();
    expect(bench.lines).toEqual([]);
    await passThatLeaves(bench);
    expect(bench.kernel.applied).toEqual([`drain ${ON_LO}`, `remove ${ON_LO}`]);
    expect(bench.lines[0]).toBe(
      'warning: cannot make ha-drain: no: the network is told at once that the address leaves',
    );
  });

  test('warns of an address that the interface does not take, and is withdrawn all the same', async () => {
    const bench = await advertisingBench();
    bench.kernel.refuse = ({ verb }) => (verb === 'move' ? 'no room' : undefined);
    await passThatLeaves(bench);
    expect(bench.lines[0]).toBe(`warning: ${ADDRESS} is not on ha-drain: no room`);
    expect([...bench.kernel.places]).toEqual([]);
    expect([...bench.kernel.drainRoutes]).toEqual([ADDRESS]);
  });

  test('finds it on the drain interface longer than the kernel was told, and takes it off', async () => {
    const bench = await advertisingBench();
    await passThatLeaves(bench);
    bench.kernel.applied.length = 0;
    bench.nowMs += 3000;
    await bench.pass();
    expect(bench.kernel.applied).toEqual([]);
    await bench.pass();
    expect(bench.kernel.applied).toEqual([`end-move ${MOVED}`]);
  });
});

test('a signal leaves nothing that anybody would have to end', async () => {
  const bench = await advertisingBench();
  await signal(bench, 'withdraw');
  expect(bench.kernel.applied).toEqual([
    ...[`drain ${ON_LO}`, `remove ${ON_LO}`, `move ${MOVED}`],
    `end-drain ${ON_LO}`,
  ]);
  expect(bench.state()).toMatchObject({
    state: { drain: { untilMs: bench.nowMs + 5000, addresses: [ADDRESS] } },
  });
});

describe('whatever happens in any order', () => {
  const event = fc.oneof(
    fc.constantFrom('suspend', 'resume', 'leave', 'signal', 'up', 'down', 'lose state'),
    fc.record({ waitMs: fc.integer({ min: 0, max: 12_000 }) }),
  );

  test('no address is announced twice, nor longer than its drain, nor beside a service that is down', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 12 }), async (events) => {
        const bench = await advertisingBench();
        let movedUntilMs = Infinity;
        const expire = (): void => {
          if (bench.nowMs >= movedUntilMs) bench.kernel.places.delete(MOVED);
        };
        bench.kernel.onMove = (seconds) => {
          expect(seconds).toBeLessThanOrEqual(15);
          movedUntilMs = bench.nowMs + seconds * 1000;
        };
        for (const happens of events) {
          if (typeof happens === 'object') bench.nowMs += happens.waitMs;
          else if (happens === 'suspend') suspend(bench);
          else if (happens === 'resume') resume(bench);
          else if (happens === 'leave') await passThatLeaves(bench);
          else if (happens === 'signal') await signal(bench, 'withdraw');
          else if (happens === 'lose state') rmSync(path.join(bench.stateDir, 'sample.json'));
          else bench.verdict = happens === 'up' ? up('answered') : DOWN;
          expire();
          await bench.pass();
          expire();
          const { places, drainRoutes } = bench.kernel;
          const reading = bench.state();
          const drain = reading.kind === 'valid' ? reading.state.drain : undefined;
          const said = `after ${JSON.stringify(events)}`;
          const isOnLo = places.has(ON_LO);
          const isMoved = places.has(MOVED);
          expect(isOnLo && isMoved, said).toBe(false);
          if (isOnLo || bench.verdict.status === 'down' || drain === null) {
            expect([isMoved, drainRoutes.size], said).toEqual([false, 0]);
          }
          if (drain != null) {
            expect(drain.untilMs, said).toBeGreaterThan(bench.nowMs);
            expect(drain.addresses, said).toEqual([ADDRESS]);
          }
        }
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});

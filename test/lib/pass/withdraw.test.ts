import { existsSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeSuspension } from '../../../src/lib/state/suspensions.ts';
import { BusyError } from '../../../src/lib/system/errors.ts';
import { ownIdentity } from '../../../src/lib/system/process-identity.ts';
import { PassBench } from '../../support/pass-bench.ts';

const ADDRESS = '198.51.100.1';
const PLACE = `${ADDRESS}/32 dev lo`;

let bench: PassBench;
beforeEach(async () => {
  bench = new PassBench();
  await bench.pass();
  await bench.pass();
  expect([...bench.kernel.places]).toEqual([PLACE]);
});
afterEach(() => {
  bench.dispose();
});

test('--withdraw where claims cannot be read takes the address out, and exits with 74', async () => {
  const claim = path.join(bench.stateDir, 'claims', ADDRESS);
  rmSync(claim);
  writeFileSync(claim, '');
  const report = await bench.pass({ mode: 'withdraw' });
  expect([...bench.kernel.places]).toEqual([]);
  expect(report.exitStatus).toBe(74);
  expect(bench.lines.at(-1)).toContain('cannot read the claim');
  // Once they can be read, the same command finishes what is left.
  rmSync(claim);
  expect(await bench.pass({ mode: 'withdraw' })).toMatchObject({ exitStatus: 0 });
  expect(existsSync(path.join(bench.stateDir, 'sample.json'))).toBe(false);
});

test('a drain whose end nobody lived to see is ended by the next withdrawal', async () => {
  const request = {
    ...{ instance: 'sample', holder: 'manual', reason: '', forMs: undefined },
    ...{ acrossReboot: false, processes: undefined },
  };
  writeSuspension(path.join(bench.stateDir, 'suspensions'), request, bench.now());
  // The pass withdraws with a drain; whoever suspended was killed, and no pass came after it.
  await bench.pass({ drainMs: 1000 });
  expect([...bench.kernel.drainRoutes]).toEqual([ADDRESS]);
  bench.nowMs += 10_000;
  await bench.pass({ mode: 'withdraw' });
  expect([...bench.kernel.drainRoutes]).toEqual([]);
});

describe('a pass that waits for the lock', () => {
  test('ends at once when a signal comes, with nothing changed', async () => {
    const { pid, startTicks, bootId, pidNamespace } = ownIdentity();
    const holder = [pid, startTicks, bootId, pidNamespace, Number.MAX_SAFE_INTEGER, 0].join(' ');
    symlinkSync(holder, path.join(bench.stateDir, 'sample.lock'));
    const asked = new AbortController();
    const { signal } = asked;
    const interrupts = { signal, hurry: signal, requested: () => 'leave' as const };
    const waiting = bench.pass({ lockWaitMs: 3_600_000 }, { interrupts });
    asked.abort();
    await expect(waiting).rejects.toThrow(BusyError);
    expect([...bench.kernel.places]).toEqual([PLACE]);
  });
});

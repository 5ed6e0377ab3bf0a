import { readdirSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { down, up } from '../../../src/lib/probe/probe.ts';
import { PassBench } from '../../support/pass-bench.ts';

const A = '198.51.100.1/32 dev lo';

let bench: PassBench;
beforeEach(async () => {
  bench = new PassBench();
  for (let count = 0; count < 2; count++) await bench.pass();
  expect([...bench.kernel.places]).toEqual([A]);
  bench.kernel.applied.length = 0;
});
afterEach(() => {
  bench.dispose();
});

/** What systemd does when the service dies; the batch may come later. */
function note(): void {
  const file = path.join(bench.stateDir, 'sample.ended');
  rmSync(file, { force: true });
  symlinkSync('unbound.service signal KILL', file);
}
function die(): void {
  note();
  bench.kernel.places.clear();
}

const health = (): unknown => {
  const reading = bench.state();
  return reading.kind === 'valid' ? reading.state.health : undefined;
};

describe('a service that ended between two passes', () => {
  test('is told as that, flaps once, and is back after --rise good passes', async () => {
    die();
    const report = await bench.pass();
    expect(report.decision?.transition).toMatchObject({ to: 'down', reason: 'ended' });
    expect(bench.lines).toEqual([
      `notice: down: ${A} is gone from the kernel: unbound.service ended (SIGKILL): withdrawn by systemd`,
    ]);
    expect(health()).toMatchObject({ status: 'down', successes: 1, flaps: 1 });
    expect(bench.kernel.applied).toEqual([]);
    await bench.pass();
    expect([...bench.kernel.places]).toEqual([A]);
    expect(health()).toMatchObject({ status: 'up', flaps: 1 });
    expect((await bench.pass()).decision?.changes).toEqual([]);
  });

  test('is withdrawn by the pass where systemd’s ip did not do so', async () => {
    note();
    await bench.pass();
    expect(bench.kernel.applied).toEqual([`remove ${A}`]);
    expect(bench.lines).toEqual([`notice: down: withdrew ${A}: unbound.service ended (SIGKILL)`]);
  });

  test('meets the hold-down when it does so over and over', async () => {
    die();
    const held = { rise: 1, holdDownMs: 7000 };
    for (const advertised of [false, false, false, false, true]) {
      await bench.pass(held);
      expect(bench.kernel.places.size).toBe(advertised ? 1 : 0);
    }
    die();
    for (const advertised of [...Array<boolean>(7).fill(false), true]) {
      await bench.pass(held);
      expect(bench.kernel.places.size).toBe(advertised ? 1 : 0);
    }
  });

  test('does not disturb an instance whose state is lost later', async () => {
    die();
    await bench.pass();
    await bench.pass();
    rmSync(path.join(bench.stateDir, 'sample.json'));
    bench.kernel.applied.length = 0;
    await bench.pass();
    await bench.pass();
    expect(bench.kernel.applied).not.toContain(`remove ${A}`);
  });

  test('leaves nothing behind when the instance is taken out for good', async () => {
    die();
    await bench.pass();
    await bench.pass({ mode: 'withdraw' });
    expect(bench.state()).toMatchObject({ gap: 'missing' });
    expect(readdirSync(bench.stateDir)).toEqual(['claims']);
  });
});

describe('a service that ended in the midst of a pass', () => {
  const dyingProbe = { probe: () => Promise.resolve().then(() => (die(), up('answered'))) };

  test('makes its answer void', async () => {
    const report = await bench.pass({ rise: 1 }, dyingProbe);
    expect(report).toMatchObject({ exitStatus: 2, verdict: { reason: 'ended' } });
    expect(bench.kernel.applied).toEqual([]);
    expect(health()).toMatchObject({ status: 'down', successes: 0, flaps: 1 });
    await bench.pass({ rise: 1 });
    expect([...bench.kernel.places]).toEqual([A]);
    expect(health()).toMatchObject({ status: 'up', flaps: 1 });
  });

  test('keeps a state that is lost from counting, too', async () => {
    rmSync(path.join(bench.stateDir, 'sample.json'));
    await bench.pass({ rise: 1 }, dyingProbe);
    expect(bench.kernel.places.size).toBe(0);
  });

  test('is not added when it did so just before', async () => {
    bench.verdict = down('timeout', 'no answer');
    await bench.pass({ fall: 1 });
    bench.kernel.applied.length = 0;
    bench.verdict = up('answered');
    const prepareChange = (): Promise<void> => {
      note();
      return Promise.resolve();
    };
    await bench.pass({ rise: 1 }, { prepareChange });
    expect(bench.kernel.applied).toEqual([]);
  });

  test.each(['add', 'renew'] as const)(
    'is taken out again without drain when an %s had begun',
    async (verb) => {
      if (verb === 'add') {
        bench.verdict = down('timeout', 'no answer');
        await bench.pass({ fall: 1 });
        bench.verdict = up('answered');
      } else {
        bench.nowMs += 200_000;
      }
      bench.kernel.applied.length = 0;
      // systemd's ip was there before ours.
      let count = 0;
      bench.kernel.beforeApply = () => {
        if ((count += 1) === 1) die();
      };
      await bench.pass({ rise: 1, drainMs: 5000 });
      expect(bench.kernel.applied).toEqual([`${verb} ${A}`, `remove ${A}`]);
      expect(bench.kernel.places.size + bench.kernel.drainRoutes.size).toBe(0);
      bench.kernel.beforeApply = () => undefined;
      await bench.pass();
      expect(health()).toMatchObject({ status: 'down', successes: 1 });
    },
  );
});

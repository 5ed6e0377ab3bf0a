import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addressLabel } from '../../../src/lib/advertise/advertiser.ts';
import { down, unknown } from '../../../src/lib/probe/probe.ts';
import { PassBench } from '../../support/pass-bench.ts';

const A = { address: '198.51.100.1', interface: 'lo' };
const LINE = 'addr del 198.51.100.1/32 dev lo\n';
const DOWN = down('timeout', 'no answer');

let bench: PassBench;
beforeEach(() => {
  bench = new PassBench({ rise: 1, fall: 1 });
});
afterEach(() => {
  bench.dispose();
});

const file = (): string => path.join(bench.stateDir, 'sample.withdraw');
const text = (): string => readFileSync(file(), 'utf8');

describe('the file that takes an instance out', () => {
  test('is there before the address is, and empty after it went', async () => {
    let before = '';
    bench.kernel.beforeApply = () => {
      before = text();
    };
    await bench.pass();
    expect([before, text()]).toEqual([LINE, LINE]);
    bench.verdict = DOWN;
    await bench.pass();
    expect([before, text()]).toEqual([LINE, '']);
  });

  test('is there from the first pass on, whatever that saw', async () => {
    bench.verdict = DOWN;
    await bench.pass();
    expect(text()).toBe('');
  });

  test('is not written by a pass that changes nothing', async () => {
    await bench.pass();
    const { ino, mtimeNs } = statSync(file(), { bigint: true });
    await bench.pass();
    expect(statSync(file(), { bigint: true })).toMatchObject({ ino, mtimeNs });
  });

  test('is put right by the next pass, however that comes out', async () => {
    await bench.pass();
    for (const verdict of [bench.verdict, unknown('resources', 'no sockets')]) {
      rmSync(file());
      bench.verdict = verdict;
      await bench.pass();
      expect(text()).toBe(LINE);
    }
  });

  test('that cannot be written keeps the address out, and the exit status is 74', async () => {
    bench.verdict = DOWN;
    await bench.pass();
    rmSync(file());
    mkdirSync(file());
    bench.verdict = { status: 'up', detail: 'answered' };
    const report = await bench.pass();
    expect(report.exitStatus).toBe(74);
    expect(bench.kernel.applied).toEqual([]);
    expect(bench.lines.join('\n')).toMatch(/^error: cannot write .*sample\.withdraw: /);
    rmSync(file(), { recursive: true });
    expect((await bench.pass()).exitStatus).toBe(0);
    expect([...bench.kernel.places]).toEqual([addressLabel(A)]);
  });

  test('that cannot be written keeps nothing advertised of a service that is dead', async () => {
    await bench.pass();
    rmSync(file());
    mkdirSync(file());
    bench.verdict = DOWN;
    expect((await bench.pass()).exitStatus).toBe(74);
    expect([...bench.kernel.places]).toEqual([]);
  });

  test('says on what a change that failed may have left', async () => {
    await bench.pass();
    bench.kernel.refuse = () => 'not now';
    bench.verdict = DOWN;
    expect((await bench.pass()).exitStatus).toBe(71);
    expect(text()).toBe(LINE);
  });

  test('ends the drain, too, as long as that lasts', async () => {
    bench.kernel.drainInterface = 'ha-drain';
    const atDrain: string[] = [];
    await bench.pass();
    bench.kernel.beforeApply = () => {
      atDrain.push(text());
    };
    await bench.pass({ mode: 'withdraw', drainMs: 5000 }, { interrupts: inAHurry() });
    expect(atDrain[0]).toBe(
      `${LINE}addr del 198.51.100.1/32 dev ha-drain\n` +
        'route del local 198.51.100.1 dev lo table local proto 120 metric 1\n',
    );
  });

  test('goes with the instance', async () => {
    await bench.pass();
    await bench.pass({ mode: 'withdraw' });
    expect(() => text()).toThrow('ENOENT');
  });

  test('says nothing any more of an address that the configuration gives up', async () => {
    const source = path.join(bench.folder, 'sample.toml');
    const B = { address: '198.51.100.2', interface: 'lo' };
    await bench.pass({ source, places: [A, B], drainMs: 5000 });
    expect(text().split('\n')).toHaveLength(3);
    await bench.pass({ source, places: [A], drainMs: 5000 });
    expect([...bench.kernel.drainRoutes]).toEqual(['198.51.100.2']);
    expect(text()).toBe(LINE);
  });
});

/** Of a process whose user waits for no drain. */
function inAHurry(): { signal: AbortSignal; hurry: AbortSignal; requested: () => undefined } {
  const never = new AbortController().signal;
  return { signal: never, hurry: AbortSignal.abort(), requested: () => undefined };
}

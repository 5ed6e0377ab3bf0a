import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { PassOptions } from '../../../src/lib/pass/ports.ts';
import { down, unknown, up, type Verdict } from '../../../src/lib/probe/probe.ts';
import { removeSuspension, writeSuspension } from '../../../src/lib/state/suspensions.ts';
import { ConfigurationError } from '../../../src/lib/system/errors.ts';
import { PassBench } from '../../support/pass-bench.ts';

const DOWN = down('timeout', 'no answer');
const A = '198.51.100.1/32 dev lo';

const benches: PassBench[] = [];

afterEach(() => {
  for (const bench of benches.splice(0)) bench.dispose();
});

function newBench(changes: Partial<PassOptions> = {}): PassBench {
  const bench = new PassBench(changes);
  benches.push(bench);
  return bench;
}

/** A bench whose instance is up and advertises. */
async function advertisingBench(changes: Partial<PassOptions> = {}): Promise<PassBench> {
  const bench = newBench(changes);
  for (let count = 0; count < bench.options().rise; count++) await bench.pass();
  expect([...bench.kernel.places]).toContain(A);
  bench.kernel.applied.length = 0;
  return bench;
}

function suspend(bench: PassBench, holder = 'manual', forMs?: number): void {
  const request = {
    instance: 'sample',
    holder,
    reason: 'work',
    forMs,
    acrossReboot: false,
    processes: undefined,
  };
  writeSuspension(path.join(bench.stateDir, 'suspensions'), request, bench.now());
}

function resume(bench: PassBench, holder = 'manual'): void {
  removeSuspension(path.join(bench.stateDir, 'suspensions'), 'sample', holder);
}

describe('the way up and down', () => {
  test('an address is added after rise passes, and removed after fall', async () => {
    const bench = newBench();
    expect((await bench.pass()).exitStatus).toBe(0);
    expect(bench.lines).toEqual(['notice: no state yet: starting from what the kernel shows']);
    expect(bench.kernel.applied).toEqual([]);
    const risen = await bench.pass();
    expect(risen.decision).toMatchObject({ health: 'up', advertising: true, transitions: 1 });
    expect(risen.decision?.leaseLeftMs).toBe(300_000);
    expect(bench.lines).toEqual([`notice: up: advertising ${A}: answered`]);
    bench.verdict = DOWN;
    expect((await bench.pass()).exitStatus).toBe(2);
    expect(bench.lines).toEqual([]);
    const fallen = await bench.pass();
    expect(fallen.decision).toMatchObject({ health: 'down', advertising: false, transitions: 2 });
    expect(bench.lines).toEqual([`notice: down: withdrew ${A}: timeout: no answer`]);
    expect(bench.kernel.applied).toEqual([`add ${A}`, `remove ${A}`]);
  });

  test('a pass that changes nothing says nothing and changes nothing', async () => {
    const bench = await advertisingBench();
    const report = await bench.pass();
    expect(report).toMatchObject({ exitStatus: 0, problems: [] });
    expect(report.decision).toMatchObject({ transition: undefined, changes: [] });
    expect(bench.lines).toEqual([]);
    expect(bench.kernel.applied).toEqual([]);
  });

  test('an address that is missing is put back by a good pass only', async () => {
    const bench = await advertisingBench();
    bench.kernel.places.clear();
    bench.verdict = unknown('resources', 'no sockets');
    expect((await bench.pass()).exitStatus).toBe(69);
    expect(bench.kernel.applied).toEqual([]);
    expect(bench.lines).toEqual([
      'warning: cannot judge: unknown (resources): no sockets',
      `notice: down: ${A} is gone from the kernel: removed by hand, or its lease ran out`,
    ]);
    bench.verdict = up('answered');
    await bench.pass();
    expect(bench.kernel.applied).toEqual([`add ${A}`]);
  });

  test('a verdict that stays unknown is said once, and again when it comes back', async () => {
    const bench = await advertisingBench();
    const said = 'warning: cannot judge: unknown (resources): no sockets';
    const saidBy = async (verdict: Verdict): Promise<readonly string[]> => {
      bench.verdict = verdict;
      await bench.pass();
      return bench.lines;
    };
    const blind = unknown('resources', 'no sockets');
    expect(await saidBy(blind)).toEqual([said]);
    expect(await saidBy(blind)).toEqual([]);
    expect(await saidBy(up('answered'))).toEqual([]);
    expect(await saidBy(blind)).toEqual([said]);
  });

  test('an address that is put back in the same pass is a repair, not a transition', async () => {
    const bench = await advertisingBench();
    bench.kernel.places.clear();
    expect((await bench.pass()).decision?.transition).toBeUndefined();
    expect(bench.lines).toEqual([`notice: put ${A} back, which was missing`]);
  });

  test('without its interface a node cannot judge: no failure counts', async () => {
    const bench = await advertisingBench({ fall: 1 });
    bench.verdict = DOWN;
    bench.kernel.obstacle = 'interface lo is down';
    const report = await bench.pass();
    expect(report).toMatchObject({ exitStatus: 69, verdict: { reason: 'no-interface' } });
    expect(report.decision).toMatchObject({ health: 'up', failures: 0 });
  });

  test('what the kernel refuses is told, with an exit status of its own', async () => {
    const bench = newBench({ rise: 1 });
    bench.kernel.refuse = () => 'RTNETLINK answers: Operation not permitted';
    const refused = await bench.pass();
    expect(refused).toMatchObject({ exitStatus: 77, decision: { advertising: false } });
    expect(refused.problems[0]).toContain(`cannot add ${A}`);
    bench.kernel.refuse = () => 'RTNETLINK answers: Invalid argument';
    expect((await bench.pass()).exitStatus).toBe(71);
    bench.kernel.refuse = () => undefined;
    expect(await bench.pass()).toMatchObject({ exitStatus: 0, decision: { advertising: true } });
  });
});

describe('the lease', () => {
  test('is renewed by good passes when half of it is spent', async () => {
    const bench = await advertisingBench({ leaseMs: 10_000 });
    await bench.pass();
    await bench.pass();
    expect(bench.kernel.applied).toEqual([]);
    await bench.pass();
    expect(bench.kernel.applied).toEqual([`renew ${A}`]);
  });

  test('is not renewed by a pass that did not see the service work', async () => {
    const bench = await advertisingBench({ leaseMs: 10_000, fall: 9 });
    bench.verdict = DOWN;
    for (let count = 0; count < 4; count++) await bench.pass();
    bench.verdict = unknown('resources', 'no sockets');
    await bench.pass();
    expect(bench.kernel.applied).toEqual([]);
  });

  test.each([
    ['longer', 600_000],
    ['shorter', 60_000],
    ['off', undefined],
  ])('that is made %s is set anew at once, and only once', async (_, leaseMs) => {
    const bench = await advertisingBench();
    bench.verdict = unknown('resources', 'no sockets');
    await bench.pass({ leaseMs });
    expect(bench.kernel.applied).toEqual([]);
    bench.verdict = up('answered');
    await bench.pass({ leaseMs });
    await bench.pass({ leaseMs });
    expect(bench.kernel.applied).toEqual([`renew ${A}`]);
  });

  test('that was not renewed in time is told, and the service has to rise again', async () => {
    const bench = await advertisingBench();
    bench.nowMs += 300_000;
    bench.kernel.places.clear();
    await bench.pass();
    expect(bench.kernel.applied).toEqual([]);
    expect(bench.lines).toEqual([
      'notice: down: 198.51.100.1/32 dev lo is gone from the kernel: removed by hand, or its lease ran out',
    ]);
  });
});

describe('the state', () => {
  test.each([
    ['empty', ''],
    ['cut off', '{"version":1,'],
    ['something else', '[]'],
    ['of a newer version', '{"version":2}'],
    ['a disk full of nothing', '\0'.repeat(4000)],
  ])('may be %s: a working service does not flap, and it is said once', async (_, text) => {
    const bench = await advertisingBench();
    writeFileSync(path.join(bench.stateDir, 'sample.json'), text);
    const report = await bench.pass();
    expect(report.exitStatus).toBe(0);
    expect(report.decision).toMatchObject({ health: 'up', advertising: true });
    expect(bench.lines).toHaveLength(1);
    // Since when the lease runs is not known any more: it is set anew.
    expect(bench.kernel.applied).toEqual([`renew ${A}`]);
    await bench.pass();
    expect(bench.lines).toEqual([]);
  });

  test('of another boot is void', async () => {
    const bench = await advertisingBench();
    bench.bootId = 'another-boot';
    bench.kernel.places.clear();
    expect((await bench.pass()).decision).toMatchObject({ health: 'down', successes: 1 });
    expect(bench.lines[0]).toContain('before the reboot');
  });

  test('that cannot be written lets a pass only remove, at the first failure', async () => {
    const bench = await advertisingBench();
    // Something that no file can replace stands where the new state is going to be written.
    mkdirSync(path.join(bench.stateDir, 'sample.json.tmp'));
    const good = await bench.pass();
    expect(good).toMatchObject({ exitStatus: 74, decision: { advertising: true } });
    bench.kernel.places.clear();
    expect(await bench.pass()).toMatchObject({ exitStatus: 74, decision: { advertising: false } });
    expect(bench.kernel.applied).toEqual([]);
    bench.kernel.places.add(A);
    bench.verdict = DOWN;
    expect((await bench.pass()).exitStatus).toBe(74);
    expect(bench.kernel.applied).toEqual([`remove ${A}`]);
  });

  test.each(['sample.lock', 'sample.json'])(
    'a folder in the place of %s does not keep a dead service advertised',
    async (name) => {
      const bench = await advertisingBench();
      rmSync(path.join(bench.stateDir, name), { force: true });
      mkdirSync(path.join(bench.stateDir, name));
      bench.verdict = DOWN;
      const reports = [await bench.pass(), await bench.pass()];
      expect(reports.at(-1)?.exitStatus).toBe(74);
      expect([...bench.kernel.places]).toEqual([]);
    },
  );

  test('leaves nothing but itself and the claims behind', async () => {
    const bench = await advertisingBench();
    expect(readdirSync(bench.stateDir).sort()).toEqual([
      'claims',
      'sample.json',
      'sample.withdraw',
    ]);
  });
});

describe('a suspension', () => {
  test('withdraws, and after it rise passes bring the address back', async () => {
    const bench = await advertisingBench();
    suspend(bench);
    const suspended = await bench.pass();
    expect(suspended).toMatchObject({ exitStatus: 0, decision: { advertising: false } });
    expect(bench.lines).toEqual([`notice: down: withdrew ${A}: suspended by manual (work)`]);
    resume(bench);
    await bench.pass();
    expect([...bench.kernel.places]).toEqual([A]);
  });

  test('of two holders ends when both have resumed', async () => {
    const bench = await advertisingBench({ rise: 1 });
    suspend(bench, 'one');
    suspend(bench, 'two');
    await bench.pass();
    resume(bench, 'one');
    await bench.pass();
    expect([...bench.kernel.places]).toEqual([]);
    resume(bench, 'two');
    await bench.pass();
    expect([...bench.kernel.places]).toEqual([A]);
  });

  test('that comes while the probe is asked is found before anything is added', async () => {
    const bench = newBench({ rise: 1 });
    mkdirSync(bench.stateDir);
    await bench.pass(
      {},
      {
        probe: () => {
          suspend(bench);
          return Promise.resolve(up('answered'));
        },
      },
    );
    expect(bench.kernel.applied).toEqual([]);
  });

  test('that comes while an address is added takes it out again', async () => {
    const bench = newBench({ rise: 1 });
    bench.kernel.beforeApply = () => {
      suspend(bench);
    };
    const report = await bench.pass();
    expect(bench.kernel.applied).toEqual([`add ${A}`, `remove ${A}`]);
    expect(report.decision).toMatchObject({ advertising: false });
    bench.kernel.beforeApply = () => undefined;
    await bench.pass();
    expect([...bench.kernel.places]).toEqual([]);
  });

  test('that a pass sees before its holder has the lock withdraws with a drain', async () => {
    const bench = await advertisingBench({ drainMs: 5000 });
    const report = await bench.pass(
      {},
      {
        probe: () => {
          suspend(bench);
          return Promise.resolve(up('answered'));
        },
      },
    );
    expect(bench.kernel.applied).toEqual(['drain 198.51.100.1/32 dev lo', `remove ${A}`]);
    expect(report.decision).toMatchObject({ advertising: false, health: 'down' });
    expect(bench.lines).toEqual([`notice: down: withdrew ${A}: suspended by manual (work)`]);
    const drain = { untilMs: bench.nowMs + 5000, addresses: ['198.51.100.1'] };
    expect(bench.state()).toMatchObject({ kind: 'valid', state: { drain } });
    await bench.pass();
    expect(bench.kernel.applied).toHaveLength(2);
    bench.nowMs += 5000;
    await bench.pass();
    expect(bench.kernel.applied.slice(2)).toEqual(['end-drain 198.51.100.1/32 dev lo']);
  });

  test('that comes while a lease is renewed leaves the address to its holder', async () => {
    const bench = await advertisingBench({ drainMs: 5000, leaseMs: 4000 });
    bench.kernel.beforeApply = () => {
      suspend(bench);
    };
    await bench.pass();
    expect(bench.kernel.applied).toEqual([`renew ${A}`]);
    bench.kernel.beforeApply = () => undefined;
    await bench.pass();
    expect(bench.kernel.applied.slice(1)).toEqual(['drain 198.51.100.1/32 dev lo', `remove ${A}`]);
  });

  test('that a failing service gets is no reason to drain it', async () => {
    const bench = await advertisingBench({ drainMs: 5000, fall: 1 });
    bench.verdict = DOWN;
    suspend(bench);
    await bench.pass();
    expect(bench.kernel.applied).toEqual([`remove ${A}`]);
  });

  test('that cannot be read keeps a working service, and is said', async () => {
    const bench = await advertisingBench();
    const folder = path.join(bench.stateDir, 'suspensions');
    writeFileSync(folder, 'a file in the place of the folder');
    const report = await bench.pass();
    expect(report).toMatchObject({ exitStatus: 74, decision: { advertising: true } });
    expect(bench.lines[0]).toContain(`cannot read ${folder}: ENOTDIR`);
  });
});

describe('ownership', () => {
  const OTHER = { address: '198.51.100.2', interface: 'lo' };

  test('a second instance with the same address is refused, and both are named', async () => {
    const bench = await advertisingBench();
    const second = bench.pass({ instance: 'second' });
    await expect(second).rejects.toThrow(ConfigurationError);
    await expect(second).rejects.toThrow(/'sample'.*'second'/);
    expect(bench.kernel.applied).toEqual([]);
  });

  test('a claim is void once its owner is older than its lease and the address is gone', async () => {
    const bench = await advertisingBench();
    bench.nowMs += 300_000;
    await expect(bench.pass({ instance: 'second', rise: 1 })).rejects.toThrow(ConfigurationError);
    bench.kernel.places.clear();
    await bench.pass({ instance: 'second', rise: 1 });
    expect([...bench.kernel.places]).toEqual([A]);
    await expect(bench.pass()).rejects.toThrow(/belongs to instance 'second'/);
  });

  test('other flags are refused while the former address is managed', async () => {
    const bench = await advertisingBench();
    await expect(bench.pass({ places: [OTHER] })).rejects.toThrow(`manages ${A}`);
    expect(bench.kernel.applied).toEqual([]);
  });

  test('a file that names another address withdraws the former one', async () => {
    const bench = await advertisingBench({ source: '/etc/sample.toml' });
    await bench.pass({ places: [OTHER] });
    expect([...bench.kernel.places]).toEqual(['198.51.100.2/32 dev lo']);
    // The claim is given up: another instance may have it.
    await bench.pass({ instance: 'second', source: null, rise: 1 });
    expect([...bench.kernel.places].sort()).toEqual([A, '198.51.100.2/32 dev lo']);
  });

  test.each([
    ['as it is', 0],
    ['with its lease half spent', 200_000],
  ])(
    'a file that moves an address to another interface, %s, withdraws it from the former one',
    async (_, waitMs) => {
      const bench = await advertisingBench({ source: '/etc/sample.toml' });
      const moved = { places: [{ address: '198.51.100.1', interface: 'lo2' }] };
      bench.nowMs += waitMs;
      await bench.pass(moved);
      expect([...bench.kernel.places]).toEqual(['198.51.100.1/32 dev lo2']);
      bench.kernel.applied.length = 0;
      await bench.pass(moved);
      expect(bench.kernel.applied).toEqual([]);
      expect(readdirSync(path.join(bench.stateDir, 'claims'))).toEqual(['198.51.100.1']);
    },
  );
});

describe('a dry run', () => {
  test('shows what would change and touches neither kernel nor state', async () => {
    const bench = await advertisingBench();
    bench.verdict = DOWN;
    await bench.pass();
    const before = bench.state();
    const report = await bench.pass({ mode: 'dry-run' });
    expect(report.decision).toMatchObject({ health: 'down', changes: [`remove ${A}`] });
    expect(bench.kernel.applied).toEqual([]);
    expect(bench.state()).toEqual(before);
  });

  test('needs no state folder and makes none', async () => {
    const bench = newBench({ rise: 1 });
    const report = await bench.pass({ mode: 'dry-run' });
    expect(report.decision?.changes).toEqual([`add ${A}`]);
    expect(readdirSync(bench.folder)).toEqual([]);
  });
});

test('without an address it only probes', async () => {
  const bench = newBench({ places: [] });
  bench.verdict = DOWN;
  expect(await bench.pass()).toMatchObject({ exitStatus: 2, decision: undefined });
  expect(readdirSync(bench.folder)).toEqual([]);
});

test('doubts about the configuration are said once', async () => {
  const bench = newBench({ advice: [{ key: 'doubt', message: 'this is doubtful' }] });
  await bench.pass();
  expect(bench.lines).toContain('warning: this is doubtful');
  await bench.pass();
  expect(bench.lines).not.toContain('warning: this is doubtful');
  await bench.pass({ advice: [] });
  await bench.pass();
  expect(bench.lines).toContain('warning: this is doubtful');
});

test('--withdraw takes the address out and forgets the instance', async () => {
  const bench = await advertisingBench();
  expect((await bench.pass({ mode: 'withdraw' })).exitStatus).toBe(0);
  expect(bench.kernel.applied).toEqual([`remove ${A}`]);
  expect(bench.state()).toMatchObject({ gap: 'missing' });
  expect(readdirSync(path.join(bench.stateDir, 'claims'))).toEqual([]);
});

import { readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Child, Finished } from '../support/child.ts';
import { DnsSite } from '../support/dns-site.ts';
import { executablePath, run } from '../support/executable.ts';
import { until } from '../support/until.ts';

const V4 = '192.0.2.1';
const V6 = '2001:db8::1';
const BOTH = ['-a', V4, '-a', V6];

let site: DnsSite;
let monitor: Child;
beforeEach(async () => {
  site = await DnsSite.create();
  monitor = await site.namespace.spawn('ip', ['-o', 'monitor', 'address'], { timeoutMs: 120_000 });
  // It listens as soon as it shows a change.
  await until('the monitor', async () => {
    await site.namespace.ip('address replace 198.51.100.99/32 dev lo');
    return monitor.output.includes('198.51.100.99');
  });
  await site.namespace.ip('address del 198.51.100.99/32 dev lo');
});
afterEach(async () => {
  await site.dispose();
});

/** How often an address came and went, by what the kernel itself told. */
function changesOf(address: string): { readonly added: number; readonly deleted: number } {
  const lines = monitor.output.split('\n').filter((line) => line.includes(` ${address}/`));
  const deleted = lines.filter((line) => line.startsWith('Deleted')).length;
  return { added: lines.length - deleted, deleted };
}

describe('fifty passes of one instance at once', () => {
  test('put the addresses in once, and leave one sound state and no lock', async () => {
    const passes = Array.from({ length: 50 }, () =>
      site.probe([...BOTH, '--lock-wait', '60s', '--rise', '3'], { timeoutMs: 110_000 }),
    );
    const ended = await Promise.all(passes);
    expect(new Set(ended.map(({ exitCode }) => exitCode))).toEqual(new Set([0]));
    const said = ended.map(({ stderr }) => stderr).filter((stderr) => stderr !== '');
    expect(said).toHaveLength(2); // that there is no state yet, and that it is up
    expect(site.stateFiles().filter((name) => name !== '.break')).toEqual(['dns-probe.json']);
    expect(site.state()).toMatchObject({
      advertising: true,
      transitions: 1,
      health: { status: 'up' },
    });
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`, `${V6}/128`]);
    for (const address of [V4, V6]) expect(changesOf(address)).toEqual({ added: 1, deleted: 0 });
  }, 120_000);

  test('that do not wait leave the rest to the one that has the lock, without a flap', async () => {
    await site.advertise(BOTH);
    const passes = Array.from({ length: 50 }, () =>
      site.probe([...BOTH, '--lock-wait', '0'], { timeoutMs: 110_000 }),
    );
    const ended = await Promise.all(passes);
    const statuses = new Set(ended.map(({ exitCode }) => exitCode));
    expect([...statuses].filter((status) => status !== 0 && status !== 75)).toEqual([]);
    expect(statuses).toContain(0);
    for (const { exitCode, stdout, stderr } of ended) {
      expect(stdout).toBe('');
      expect(stderr).toMatch(
        exitCode === 0 ? /^$/ : /^dns-probe: another pass \(process \d+\) holds the lock\n$/,
      );
    }
    expect(site.state()).toMatchObject({ advertising: true, transitions: 1 });
    for (const address of [V4, V6]) expect(changesOf(address)).toEqual({ added: 1, deleted: 0 });
  }, 120_000);

  test('and killed at any moment leave nothing that later passes would stumble over', async () => {
    await site.advertise(BOTH);
    const passes = await Promise.all(
      Array.from({ length: 20 }, () =>
        site.startProbe([...BOTH, '--lock-wait', '30s'], { timeoutMs: 60_000 }),
      ),
    );
    passes.forEach((pass, index) => {
      if (index % 2 === 0)
        setTimeout(() => {
          pass.signal('SIGKILL');
        }, index * 60);
    });
    const ended = await Promise.all(passes.map((pass) => pass.finished));
    const survivors = ended.filter(({ signal }) => signal === null);
    expect(survivors.length).toBeGreaterThanOrEqual(10);
    expect(new Set(survivors.map(({ exitCode }) => exitCode))).toEqual(new Set([0]));
    expect(await site.probe(BOTH)).toMatchObject({ exitCode: 0, stderr: '' });
    expect(site.stateFiles().filter((name) => name !== '.break')).toEqual(['dns-probe.json']);
    for (const address of [V4, V6]) expect(changesOf(address)).toEqual({ added: 1, deleted: 0 });
  }, 120_000);
});

describe('a lock whose holder cannot be seen, for it is of another PID namespace', () => {
  const inside = ['--pid', '--fork', '--mount-proc', process.execPath];

  /** A lock of a process of a namespace that is gone, as a container's that was killed. */
  function lockedElsewhere(deadlineInMs: number): void {
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    const deadlineMs = Number(process.hrtime.bigint() / 1_000_000n) + deadlineInMs;
    const lock = path.join(site.stateDir, 'dns-probe.lock');
    rmSync(lock, { force: true });
    symlinkSync(`77 4711 ${bootId} pid:[17] ${deadlineMs} 1`, lock);
  }

  /** A pass that sees as little of other processes as a container's. */
  async function pass(): Promise<Finished> {
    const args = [executablePath('dns-probe'), ...site.args(['-a', V4, '--rise', '1'])];
    return site.namespace.exec('unshare', [...inside, ...args, '--lock-wait', '100ms']);
  }

  test('is busy until ten seconds after its deadline, and void then', async () => {
    expect((await pass()).exitCode).toBe(0);
    lockedElsewhere(5000);
    expect((await pass()).exitCode).toBe(75);
    lockedElsewhere(-5000);
    expect((await pass()).exitCode).toBe(75);
    lockedElsewhere(-10_500);
    const { exitCode, stderr } = await pass();
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  });
});

test('a pass that lost its lock while it stood still changes nothing, and says 75', async () => {
  await site.advertise(['-a', V4]);
  const before = readFileSync(site.statePath(), 'utf8');
  site.server.freeze();
  const args = ['-a', V4, '--fall', '1', '--attempts', '1', '--timeout', '1s'];
  const child = await site.startProbe(args);
  await until('the lock', () => site.stateFiles().includes('dns-probe.lock'));
  const lock = path.join(site.stateDir, 'dns-probe.lock');
  const successor = readlinkSync(lock).replace(/ \d+$/, ' 99999');
  rmSync(lock);
  symlinkSync(successor, lock);
  const { exitCode, stderr } = await child.finished;
  expect(exitCode).toBe(75);
  expect(stderr).toContain('lost the lock');
  expect(readlinkSync(lock)).toBe(successor);
  expect(readFileSync(site.statePath(), 'utf8')).toBe(before);
  expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`]);
  site.server.thaw();
});

test('many that suspend at once wait for their turn: none is killed, none gives up', async () => {
  const names = Array.from({ length: 5 }, (_, n) => `i${n}`);
  for (const [n, name] of names.entries()) {
    await site.probe(['-i', name, '-a', `192.0.2.${10 + n}`, '--rise', '1']);
  }
  const ended = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      run('ha-suspend', site.args(['--all', '--by', `person${n}`, '--drain', '1s']), {
        namespace: site.namespace,
        timeoutMs: 110_000,
      }),
    ),
  );
  expect(ended.map(({ exitCode, signal }) => signal ?? exitCode)).toEqual(ended.map(() => 0));
  for (const { stderr } of ended) expect(stderr).not.toContain('killed');
  expect(await site.namespace.serviceAddresses()).toEqual([]);
}, 120_000);

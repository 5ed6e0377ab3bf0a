import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DnsSite } from '../support/dns-site.ts';
import { executablePath } from '../support/executable.ts';
import { until } from '../support/until.ts';

const V4 = '192.0.2.1';
const V6 = '2001:db8::1';

let site: DnsSite;
let folder: string;
beforeEach(async () => {
  site = await DnsSite.create();
  folder = path.join(site.folder, 'conf.d');
  mkdirSync(folder);
});
afterEach(async () => {
  await site.dispose();
});

function configure(name: string, text: string): string {
  const file = path.join(folder, `${name}.toml`);
  writeFileSync(file, `rise = 1\nfall = 1\nattempts = 1\n${text}\n`);
  return file;
}

/** An address of this node where questions are swallowed. */
async function swallow(address: string): Promise<void> {
  const { exitCode } = await site.namespace.exec('nft', ['-f', '-'], {
    input:
      'add table inet t\nadd chain inet t i { type filter hook input priority 0; }\n' +
      `add rule inet t i ip daddr ${address} drop\n`,
  });
  expect(exitCode).toBe(0);
}

describe('a folder of configurations', () => {
  test('runs them all in one process, each with its own state, and in shared changes of the kernel', async () => {
    for (let n = 1; n <= 4; n++)
      configure(`node${n}`, `address = ["192.0.2.${n}", "2001:db8::${n}"]`);
    writeFileSync(path.join(folder, 'notes.txt'), 'not a configuration');
    const trace = path.join(site.folder, 'trace');
    const filter = ['-f', '-qq', '-s', '200', '-o', trace, '-e', 'trace=execve'];
    const probe = [
      process.execPath,
      executablePath('dns-probe'),
      ...site.args(['--config', folder, '--drain', '0']), // no drain interface is made
    ];
    const { exitCode, stdout, stderr } = await site.namespace.exec('strace', [...filter, ...probe]);
    expect({ exitCode, stdout }, stderr).toEqual({ exitCode: 0, stdout: '' });
    expect(stderr.match(/^dns-probe: node\d: up: advertising /gm)).toHaveLength(4);
    expect(await site.namespace.serviceAddresses()).toHaveLength(8);
    expect(site.stateFiles()).toEqual(['node1.json', 'node2.json', 'node3.json', 'node4.json']);
    // What is ready together is changed together; on a slow machine not all four need be.
    const batches = readFileSync(trace, 'utf8').match(/"-batch"/g) ?? [];
    expect(batches.length).toBeGreaterThan(0);
    expect(batches.length).toBeLessThan(4);
  });

  test('keeps what happens to one away from the others, and exits with the worst', async () => {
    await swallow('127.0.0.2');
    configure('good', `address = "${V4}"`);
    configure('hung', 'address = "192.0.2.2"\nserver = "127.0.0.2"');
    configure('broken', 'rice = 2');
    configure('locked', 'address = "192.0.2.3"\nserver = "127.0.0.2"\ntimeout = "15s"');
    const holder = await site.startProbe(['--config', path.join(folder, 'locked.toml')]);
    await until('the lock', () => site.stateFiles().includes('locked.lock'));
    const { exitCode, stdout, stderr } = await site.probe([
      '--config',
      folder,
      '--lock-wait',
      '300ms',
      '--json',
    ]);
    holder.signal('SIGINT');
    expect(exitCode).toBe(78);
    expect(stderr).toContain("broken.toml: unknown key 'rice'");
    expect(stderr).toContain('dns-probe: locked: another pass (process ');
    expect(stderr).toContain(`dns-probe: good: up: advertising ${V4}/32 dev lo`);
    const reports = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const statuses = reports.map((report) => [report['instance'], report['exit_status']]);
    expect(new Map(statuses.map(([name, status]) => [name, status]))).toEqual(
      new Map([
        ['good', 0],
        ['hung', 2],
        ['locked', 75],
      ]),
    );
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`]);
    expect(site.stateFiles().filter((name) => name.startsWith('good'))).toEqual(['good.json']);
  });

  describe('where one hangs', () => {
    /** Advertises `good`, then makes its service die while something else hangs. */
    async function dieWhile(
      hang: () => void,
      extra: readonly string[] = [],
    ): Promise<{
      readonly withdrawnMeanwhile: boolean;
      readonly stderr: string;
    }> {
      configure('good', `address = "${V4}"\ntimeout = "300ms"`);
      await site.probe(['--config', folder]);
      expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`]);
      hang();
      const child = await site.startProbe(['--config', folder, ...extra], { timeoutMs: 40_000 });
      await until('the first pass of it', async () => {
        const { stdout } = await site.namespace.exec('stat', [
          '-c',
          '%Y.%Z %i',
          site.statePath('good'),
        ]);
        hang0 ??= stdout;
        return stdout !== hang0;
      });
      await site.server.kill();
      let withdrawnMeanwhile = false;
      while (child.running && !withdrawnMeanwhile) {
        withdrawnMeanwhile = (await site.namespace.serviceAddresses()).length === 0;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      withdrawnMeanwhile &&= child.running;
      return { withdrawnMeanwhile, stderr: (await child.finished).stderr };
    }
    let hang0: string | undefined;
    beforeEach(() => {
      hang0 = undefined;
    });
    const hungInstance = (): void => {
      configure('hung', 'address = "192.0.2.2"\nserver = "127.0.0.2"\ntimeout = "9s"');
    };

    test('the others go on, and a service that dies meanwhile is withdrawn', async () => {
      await swallow('127.0.0.2');
      const { withdrawnMeanwhile, stderr } = await dieWhile(hungInstance);
      expect(withdrawnMeanwhile).toBe(true);
      expect(stderr).toContain('good: down: withdrew');
    });

    test('with --once they make one pass', async () => {
      await swallow('127.0.0.2');
      const { withdrawnMeanwhile } = await dieWhile(hungInstance, ['--once']);
      expect(withdrawnMeanwhile).toBe(false);
    });

    test('so does an instance whose own program hangs', async () => {
      const hook = path.join(site.folder, 'hook');
      writeFileSync(hook, '#!/bin/sh\nsleep 60\n', { mode: 0o755 });
      const { withdrawnMeanwhile, stderr } = await dieWhile(() => {
        configure('new', `address = "192.0.2.2"\non-change = "${hook}"`);
      });
      expect(withdrawnMeanwhile).toBe(true);
      expect(stderr).toContain('did not end within 10 s');
    });
  });

  test('refuses flags that cannot be the same for all', async () => {
    configure('one', `address = "${V4}"`);
    configure('two', `address = "${V6}"`);
    for (const flag of [
      ['-a', '192.0.2.9'],
      ['-i', 'name'],
    ]) {
      const { exitCode, stderr } = await site.probe(['--config', folder, ...flag]);
      expect(exitCode).toBe(64);
      expect(stderr).toContain('cannot be given for several configurations');
    }
    expect(await site.namespace.serviceAddresses()).toEqual([]);
  });

  test('refuses two of the same name, and a file that others could write', async () => {
    const other = path.join(site.folder, 'one.toml');
    writeFileSync(other, `address = "${V6}"\n`);
    const one = configure('one', `address = "${V4}"`);
    const twins = await site.probe(['--config', one, '--config', other]);
    expect(twins.exitCode).toBe(78);
    expect(twins.stderr).toContain(`${other}: instance 'one' is ${one} already`);
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`]);
    chmodSync(one, 0o666);
    const open = await site.probe(['--config', one]);
    expect(open).toMatchObject({ exitCode: 78 });
    expect(open.stderr).toContain('can be written by others');
  });

  test('without any is an error', async () => {
    const { exitCode, stderr } = await site.probe(['--config', folder]);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 78,
      stderr: `dns-probe: ${folder}: holds no *.toml\n`,
    });
  });
});

describe('an address', () => {
  test('that belongs to another instance is refused, with both named', async () => {
    await site.advertise(['-i', 'first', '-a', V4]);
    const { exitCode, stderr } = await site.probe([
      '-i',
      'second',
      '-a',
      V4,
      '-a',
      V6,
      '--rise',
      '1',
    ]);
    expect(exitCode).toBe(78);
    expect(stderr).toContain(`${V4} belongs to instance 'first', so 'second' must not manage it`);
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`]);
    const withdrawal = await site.probe(['-i', 'second', '-a', V4, '--withdraw']);
    expect(withdrawal.exitCode).toBe(78);
    expect(withdrawal.stderr).toContain(`${V4} belongs to instance 'first'`);
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`]);
    await site.probe(['-i', 'first', '--withdraw', '--drain', '0']);
    expect(await site.namespace.serviceAddresses()).toEqual([]);
    expect(await site.probe(['-i', 'second', '-a', V4, '--rise', '1'])).toMatchObject({
      exitCode: 0,
    });
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`]);
  });

  test('is taken over from an instance whose lease has run out', async () => {
    await site.advertise(['-i', 'first', '-a', V4, '--lease', '2s']);
    await until('expiry', async () => (await site.namespace.serviceAddresses()).length === 0);
    const { exitCode, stderr } = await site.probe(['-i', 'second', '-a', V4, '--rise', '1']);
    expect(exitCode).toBe(0);
    expect(stderr).toContain(`took ${V4} over from instance 'first', which is abandoned`);
    expect(readlinkSync(path.join(site.stateDir, 'claims', V4))).toBe('second');
  });

  test("is not taken over while its owner's state says that it may come back", async () => {
    await site.advertise(['-i', 'first', '-a', V4]);
    await site.namespace.ip(`address del ${V4}/32 dev lo`);
    expect((await site.probe(['-i', 'second', '-a', V4])).exitCode).toBe(78);
    writeFileSync(path.join(site.stateDir, 'first.json'), '{"version":2}');
    expect((await site.probe(['-i', 'second', '-a', V4])).exitCode).toBe(78);
  });

  test('that its configuration no longer names is withdrawn by the next pass', async () => {
    const file = configure('one', `address = ["${V4}", "${V6}"]`);
    expect((await site.probe(['--config', file])).exitCode).toBe(0);
    configure('one', `address = "${V6}"`);
    expect((await site.probe(['--config', file])).exitCode).toBe(0);
    expect(await site.namespace.serviceAddresses()).toEqual([`${V6}/128`]);
    expect(readdirSync(path.join(site.stateDir, 'claims'))).toEqual([V6]);
    expect(site.state('one').places).toEqual([{ address: V6, interface: 'lo' }]);
  });

  test('that flags no longer name is not dropped in silence', async () => {
    await site.advertise(['-a', V4, '-a', V6]);
    const before = readFileSync(site.statePath(), 'utf8');
    const { exitCode, stderr } = await site.probe(['-a', V6]);
    expect(exitCode).toBe(78);
    expect(stderr).toContain(`manages ${V4}/32 dev lo, which this run does not name`);
    expect(stderr).toContain('--withdraw');
    expect(await site.namespace.serviceAddresses()).toHaveLength(2);
    expect(readFileSync(site.statePath(), 'utf8')).toBe(before);
  });
});

describe('--withdraw', () => {
  test('takes all out, gives up the claims and forgets, and needs no address for it', async () => {
    await site.advertise(['-a', V4, '-a', V6]);
    const { exitCode, stdout, stderr } = await site.probe(['--withdraw', '--drain', '200ms']);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    expect(stderr).toBe(
      `dns-probe: down: withdrew ${V4}/32 dev lo, ${V6}/128 dev lo: withdrawn on request\n`,
    );
    expect(await site.namespace.serviceAddresses()).toEqual([]);
    expect(await site.drained()).toEqual([]);
    expect(readdirSync(path.join(site.stateDir, 'claims'))).toEqual([]);
    expect(site.stateFiles()).toEqual([]);
    expect(await site.probe(['--withdraw'])).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test('finds what it has to take out by the claims when the state is lost', async () => {
    await site.advertise(['-a', V4]);
    await site.namespace.exec('rm', [site.statePath()]);
    expect((await site.probe(['--withdraw', '--drain', '0'])).exitCode).toBe(0);
    expect(await site.namespace.serviceAddresses()).toEqual([]);
    expect(readdirSync(path.join(site.stateDir, 'claims'))).toEqual([]);
  });
});

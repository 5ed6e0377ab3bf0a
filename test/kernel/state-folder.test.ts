import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Finished } from '../support/child.ts';
import { seal, unseal } from '../../src/lib/state/sealed-text.ts';
import { DnsSite } from '../support/dns-site.ts';

const V4 = '192.0.2.1';
const V6 = '2001:db8::1';
const BOTH = ['-a', V4, '-a', V6];
const PREFIXES = [`${V4}/32`, `${V6}/128`];

let site: DnsSite;
beforeEach(async () => {
  site = await DnsSite.create();
});
afterEach(async () => {
  await site.dispose();
});

/** Passes within a mount namespace of their own, which a script prepares. `$1` is the state folder. */
function passesWhere(script: string, passes: readonly string[]): Promise<Finished> {
  const shell = `set -e; state=$1; folder=$2; probe=$3; shift 3; ${script}; set +e; ${passes.join('; ')}`;
  const probe = `${process.execPath} dist/dns-probe ${site.args([]).join(' ')}`;
  const args = ['-m', 'sh', '-c', shell, 'sh', site.stateDir, site.folder, probe];
  return site.namespace.exec('unshare', args, { timeoutMs: 30_000 });
}

const PASS = `$probe ${BOTH.join(' ')}; echo "exit $?"`;

describe('a state folder that is full', () => {
  const FULL =
    'cp -a $state $folder/copy; mount -t tmpfs -o size=64k,mode=755 none $state; ' +
    'cp -a $folder/copy/. $state; dd if=/dev/zero of=$state/filler bs=1k 2>/dev/null || true';

  test('never makes a working service flap, and adds nothing', async () => {
    await site.advertise(BOTH);
    const { stdout, stderr } = await passesWhere(FULL, [PASS, PASS]);
    expect(stdout).toBe('exit 74\nexit 74\n');
    expect(stderr).toMatch(
      /^(?:dns-probe: cannot write [^\n]*dns-probe\.json: ENOSPC[^\n]*\n){2}$/,
    );
    expect(await site.namespace.serviceAddresses()).toEqual(PREFIXES);
    await site.namespace.ip(`address del ${V4}/32 dev lo`);
    await passesWhere(FULL, [PASS]);
    expect(await site.namespace.serviceAddresses()).toEqual([`${V6}/128`]);
  });

  test('never keeps a dead service advertised: one failure is enough', async () => {
    await site.advertise(BOTH);
    await site.server.kill();
    const { stdout } = await passesWhere(FULL, [PASS.replace('$probe', '$probe --fall 5 ')]);
    expect(stdout).toBe('exit 74\n');
    expect(await site.namespace.serviceAddresses()).toEqual([]);
  });
});

describe('a state folder that was full when the service was withdrawn', () => {
  test('the next passes know it, and put it back after --rise successes', async () => {
    await site.advertise(BOTH);
    const full =
      'cp -a $state $folder/copy; mount -t tmpfs -o size=64k,mode=755 none $state; ' +
      'cp -a $folder/copy/. $state; dd if=/dev/zero of=$state/filler bs=1k 2>/dev/null || true';
    const look = 'ip -o address show dev lo | grep -c "192.0.2.1/32"';
    const rise = PASS.replace('$probe', '$probe --rise 3 ');
    const dead = PASS.replace('$probe', '$probe --server 127.0.0.9 --fall 5 ');
    const { stdout, stderr } = await passesWhere(full, [
      ...[dead, look, 'rm $state/filler'],
      ...[rise, look, rise, look, rise, look, 'ls $state'],
    ]);
    expect(stdout.split('\n')).toEqual([
      ...['exit 74', '0', 'exit 0', '0', 'exit 0', '0', 'exit 0', '1'],
      ...['claims', 'dns-probe.json', 'dns-probe.withdraw', ''],
    ]);
    expect(stderr.match(/: down: withdrew /g)).toHaveLength(1);
    expect(stderr.match(/: up: advertising /g)).toHaveLength(1);
    expect(stderr).not.toMatch(/removed by hand|no state yet/);
  });
});

describe('a state folder on a read-only disk', () => {
  const READ_ONLY = 'mount --bind $state $state; mount -o remount,bind,ro $state';

  test('never makes a working service flap', async () => {
    await site.advertise(BOTH);
    const { stdout, stderr } = await passesWhere(READ_ONLY, [PASS, PASS]);
    expect(stdout).toBe('exit 74\nexit 74\n');
    expect(stderr).toMatch(/^(?:dns-probe: cannot lock: EROFS[^\n]*\n){2}$/);
    expect(await site.namespace.serviceAddresses()).toEqual(PREFIXES);
  });

  test('never keeps a dead service advertised', async () => {
    await site.advertise(BOTH);
    await site.server.kill();
    const { stdout } = await passesWhere(READ_ONLY, [PASS]);
    expect(stdout).toBe('exit 74\n');
    expect(await site.namespace.serviceAddresses()).toEqual([]);
  });
});

describe('a state folder that others could write to', () => {
  test.each([
    [
      'world-writable',
      () => {
        chmodSync(site.stateDir, 0o777);
      },
      'can be written by others',
    ],
    [
      'writable by a group',
      () => {
        chmodSync(site.stateDir, 0o775);
      },
      'can be written by others',
    ],
    [
      "another user's",
      () => {
        chownSync(site.stateDir, 65_534, 65_534);
      },
      'belongs to user 65534',
    ],
    [
      'a symbolic link',
      () => {
        rmSync(site.stateDir, { recursive: true });
        mkdirSync(`${site.stateDir}-elsewhere`);
        symlinkSync(`${site.stateDir}-elsewhere`, site.stateDir);
      },
      'is no folder (nor may it be a link)',
    ],
    [
      'a file',
      () => {
        rmSync(site.stateDir, { recursive: true });
        writeFileSync(site.stateDir, '');
      },
      'is no folder',
    ],
  ])(
    '%s is refused with 77; a working service stays, a dead one goes',
    async (_what, spoil, message) => {
      await site.advertise(BOTH);
      spoil();
      const pass = await site.probe(BOTH);
      expect(pass).toMatchObject({ exitCode: 77, stdout: '' });
      expect(pass.stderr).toContain(message);
      expect(await site.namespace.serviceAddresses()).toEqual(PREFIXES);
      await site.server.kill();
      expect((await site.probe(BOTH)).exitCode).toBe(77);
      expect(await site.namespace.serviceAddresses()).toEqual([]);
    },
  );
});

describe('a state that cannot be used', () => {
  function rewrite(change: (state: Record<string, unknown>) => unknown): void {
    const json = unseal(readFileSync(site.statePath(), 'utf8')) ?? '';
    const changed = change(JSON.parse(json) as Record<string, unknown>);
    const text = typeof changed === 'string' ? changed : seal(JSON.stringify(changed));
    writeFileSync(site.statePath(), text);
  }

  test.each([
    [
      'torn',
      () => {
        rewrite((state) => JSON.stringify(state).slice(0, 100));
      },
      'the state is corrupt',
    ],
    [
      'empty',
      () => {
        rewrite(() => '');
      },
      'the state is corrupt',
    ],
    [
      'of a newer version',
      () => {
        rewrite((state) => ({ ...state, version: 2, health: 'fine' }));
      },
      'the state was written by a newer version',
    ],
    [
      'of another boot',
      () => {
        rewrite((state) => ({ ...state, bootId: 'another' }));
      },
      'the state is from before the reboot',
    ],
    [
      'a folder',
      () => {
        rmSync(site.statePath());
        mkdirSync(site.statePath());
      },
      undefined,
    ],
    [
      'gone',
      () => {
        rmSync(site.statePath());
      },
      'no state yet',
    ],
  ])('(%s) never makes a working service flap, and is said once', async (_what, spoil, message) => {
    await site.advertise(BOTH);
    spoil();
    const first = await site.probe(BOTH);
    expect(await site.namespace.serviceAddresses()).toEqual(PREFIXES);
    if (message === undefined) {
      expect(first.exitCode).toBe(74); // it cannot be replaced either
      return;
    }
    expect(first).toEqual({
      exitCode: 0,
      signal: null,
      stdout: '',
      stderr: `dns-probe: ${message}: starting from what the kernel shows\n`,
    });
    expect(site.state().health.status).toBe('up');
    expect(await site.probe(BOTH)).toMatchObject({ exitCode: 0, stderr: '' });
    await site.server.kill();
    await site.probe(BOTH);
    expect(await site.namespace.serviceAddresses()).toEqual(PREFIXES);
    await site.probe(BOTH);
    expect(await site.namespace.serviceAddresses()).toEqual([]);
  });

  test('because the machine booted since, starts from what the kernel shows: nothing', async () => {
    await site.advertise(BOTH);
    await site.namespace.ip(`address del ${V4}/32 dev lo`);
    await site.namespace.ip(`-6 address del ${V6}/128 dev lo`);
    const reboot =
      'echo 11111111-2222-3333-4444-555555555555 >$folder/boot; mount --bind $folder/boot /proc/sys/kernel/random/boot_id';
    const { stdout, stderr } = await passesWhere(reboot, [PASS, PASS]);
    expect(stdout).toBe('exit 0\nexit 0\n');
    expect(stderr).toMatch(
      /^dns-probe: the state is from before the reboot: [^\n]*\ndns-probe: up: [^\n]*\n$/,
    );
    expect(await site.namespace.serviceAddresses()).toEqual(PREFIXES);
  });
});

test('claims that cannot be read never keep a dead service advertised', async () => {
  await site.advertise(BOTH);
  const claims = path.join(site.stateDir, 'claims');
  rmSync(claims, { recursive: true });
  writeFileSync(claims, '');
  await site.server.kill();
  expect((await site.probe(BOTH)).exitCode).toBe(74);
  expect(await site.namespace.serviceAddresses()).toEqual([]);
});

test('a lock that is no lock of ours is replaced, or it is said', async () => {
  await site.advertise(BOTH);
  const lock = path.join(site.stateDir, 'dns-probe.lock');
  writeFileSync(lock, 'something');
  expect(await site.probe(BOTH)).toMatchObject({ exitCode: 0, stderr: '' });
  mkdirSync(lock);
  const { exitCode, stderr } = await site.probe(BOTH);
  expect(exitCode).toBe(74);
  expect(stderr).toContain('cannot remove the lock');
  expect(await site.namespace.serviceAddresses()).toEqual(PREFIXES);
});

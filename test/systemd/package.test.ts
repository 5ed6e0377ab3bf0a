import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { BootedSystemd } from '../support/booted-systemd.ts';
import { runCommand } from '../support/child.ts';
import { untilAdvertised } from '../support/dns-machine.ts';
import { ROOT } from '../support/executable.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.ts';

// A whole machine boots here, maybe beside other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const PACKAGE = 'anycast-ha_0.1.0_all.deb';
const ADDRESS = ['192.0.2.1/32'];

let folder: string;
let machine: BootedSystemd;

/** Runs a program. Throws Error when it fails. */
async function must(program: string, ...args: readonly string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await runCommand(program, args, { timeoutMs: 60_000 });
  if (exitCode !== 0) throw new Error(`${program} ${args.join(' ')}: ${stdout}${stderr}`);
}

beforeAll(async () => {
  folder = createTemporaryFolder();
  await must(path.join(ROOT, 'scripts/package'), folder);
  machine = await BootedSystemd.create();
  // The link to the router that the example for FRR is for, and an answer in a closed network.
  await machine.namespace.ip('link add bond0 type veth peer name router0');
  for (const command of [
    'address add 198.51.100.2/30 dev bond0',
    'link set bond0 up',
    'link set router0 up',
  ]) {
    await machine.namespace.ip(command);
  }
  machine.write(
    '/etc/unbound/unbound.conf.d/test.conf',
    'server:\n  local-zone: "." transparent\n  local-data: ". 5 IN SOA a.example. b.example. 1 2 3 4 5"\n',
  );
  copyFileSync(path.join(folder, PACKAGE), machine.root.path(`/root/${PACKAGE}`));
  await machine.boot();
});

afterAll(async () => {
  await machine.dispose();
  removeTemporaryFolder(folder);
});

test("the README's lines lead from a bare server to an announced address", async () => {
  const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8');
  const lines = /```sh\n(apt-get install -y [^]*?)```/.exec(readme)?.[1] ?? '';
  expect(lines.trim().split('\n').length).toBeLessThan(10);
  const output = await machine.must('sh', '-exc', `cd /root\n${lines}`);
  expect(output).toMatch(/recursive +advertised +up/);
  expect(output).toContain('Link State ID: 192.0.2.1');
  expect(await machine.namespace.serviceAddresses()).toEqual(ADDRESS);
});

test('the executables find Node with the PATH of cron, and without any', async () => {
  for (const environment of ['PATH=/usr/bin:/bin', 'PATH=', 'NODE_OPTIONS=--bad-option']) {
    const run = await machine.run('env', '-i', environment, '/usr/sbin/dns-probe', '--version');
    expect(run).toMatchObject({ exitCode: 0, stdout: 'dns-probe 0.1.0\n', stderr: '' });
  }
});

test('an upgrade while the timer runs withdraws nothing and no pass fails', async () => {
  const newer = path.join(folder, 'newer.deb');
  await must('dpkg-deb', '-R', path.join(folder, PACKAGE), path.join(folder, 'tree'));
  const control = path.join(folder, 'tree/DEBIAN/control');
  const text = readFileSync(control, 'utf8');
  writeFileSync(control, text.replace('Version: 0.1.0', 'Version: 0.1.1'));
  await must('dpkg-deb', '--root-owner-group', '-Zgzip', '-b', path.join(folder, 'tree'), newer);
  copyFileSync(newer, machine.root.path('/root/newer.deb'));

  const startMs = Date.now();
  const monitor = await machine.namespace.spawn('ip', ['monitor', 'address'], {
    timeoutMs: 120_000,
  });
  // Passes without a pause, beside those of the timer.
  const loop = machine.run(
    'sh',
    '-c',
    'while [ ! -e /run/done ]; do dns-probe --config /etc/anycast-ha/recursive.toml 2>&1 || exit; done',
  );
  for (const file of ['newer.deb', PACKAGE, 'newer.deb']) {
    await machine.must('dpkg', '-i', `/root/${file}`);
  }
  await machine.must('touch', '/run/done');
  expect(await loop).toMatchObject({ exitCode: 0, stdout: '' });
  monitor.signal('SIGTERM');
  expect((await monitor.finished).stdout).not.toContain('Deleted');
  expect(await machine.namespace.serviceAddresses()).toEqual(ADDRESS);
  expect(await machine.ownJournal(startMs)).toEqual([]);
  expect(await machine.must('cat', '/etc/anycast-ha/recursive.toml')).toContain('\naddress = [');
});

test('a removal ends the timers and withdraws; a purge leaves nothing', async () => {
  await machine.must('dpkg', '-r', 'anycast-ha');
  await untilAdvertised(machine, []);
  const timers = await machine.must('systemctl', 'list-units', '--all', '*-probe@*');
  expect(timers).toContain('0 loaded units');
  await machine.must('test', '-e', '/etc/anycast-ha/recursive.toml');

  await machine.must('dpkg', '-P', 'anycast-ha');
  const left = await machine.must(
    'sh',
    '-c',
    'ls -d /etc/anycast-ha /run/anycast-ha /var/lib/anycast-ha /usr/sbin/*-probe ' +
      '/usr/share/doc/anycast-ha /etc/systemd/system/timers.target.wants/* 2>/dev/null || true',
  );
  expect(left).toBe('');
});

import { copyFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { BootedSystemd } from '../support/booted-systemd.ts';
import { bootBesidePackage, firstConfiguration } from '../support/debian13.ts';
import { ADDRESSES, untilAdvertised } from '../support/dns-machine.ts';
import { ROOT } from '../support/executable.ts';
import { repackAsOlder } from '../support/package.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.ts';

// A whole machine boots here, maybe beside other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let folder: string;
let machine: BootedSystemd;

beforeAll(async () => {
  folder = createTemporaryFolder();
  machine = await BootedSystemd.create();
  await bootBesidePackage(machine, folder);
});

afterAll(async () => {
  await machine.dispose();
  removeTemporaryFolder(folder);
});

test("the README's lines lead from a bare server to an announced address", async () => {
  const lines = firstConfiguration(readFileSync(path.join(ROOT, 'README.md'), 'utf8'));
  const output = await machine.must('sh', '-exc', `cd /root\n${lines}`);
  expect(output).toMatch(/dns +advertised +up/);
  expect(output).toContain('Link State ID: 192.0.2.1');
  expect(await machine.namespace.serviceAddresses()).toEqual(ADDRESSES);
});

test('the executables find Node with the PATH of cron, and without any', async () => {
  for (const environment of ['PATH=/usr/bin:/bin', 'PATH=', 'NODE_OPTIONS=--bad-option']) {
    const run = await machine.run('env', '-i', environment, '/usr/sbin/dns-probe', '--version');
    expect(run).toMatchObject({ exitCode: 0, stdout: 'dns-probe 0.2.0\n', stderr: '' });
  }
});

test('an upgrade while the timer runs withdraws nothing and no pass fails', async () => {
  const versions = await repackAsOlder(folder);
  for (const version of versions) {
    copyFileSync(version, machine.root.path(`/root/${path.basename(version)}`));
  }
  const [older, newer] = versions.map((version) => path.basename(version));

  const startMs = Date.now();
  const monitor = await machine.namespace.spawn('ip', ['monitor', 'address'], {
    timeoutMs: 120_000,
  });
  // Passes without a pause, beside those of the timer.
  const loop = machine.run(
    'sh',
    '-c',
    'while [ ! -e /run/done ]; do dns-probe --config /etc/anycast-ha/dns.toml 2>&1 || exit; done',
  );
  for (const name of [newer, older, newer]) {
    await machine.must('dpkg', '-i', `/root/${name ?? ''}`);
  }
  await machine.must('touch', '/run/done');
  expect(await loop).toMatchObject({ exitCode: 0, stdout: '' });
  monitor.signal('SIGTERM');
  expect((await monitor.finished).stdout).not.toContain('Deleted');
  expect(await machine.namespace.serviceAddresses()).toEqual(ADDRESSES);
  expect(await machine.ownJournal(startMs)).toEqual([]);
  expect(await machine.must('cat', '/etc/anycast-ha/dns.toml')).toContain('address = [');
});

test('a removal ends the timers and withdraws; a purge leaves what the user wrote', async () => {
  await machine.must('dpkg', '-r', 'anycast-ha');
  await untilAdvertised(machine, []);
  const timers = await machine.must('systemctl', 'list-units', '--all', '*-probe@*');
  expect(timers).toContain('0 loaded units');
  await machine.must('test', '-e', '/etc/anycast-ha/dns.toml');

  await machine.must('dpkg', '-P', 'anycast-ha');
  const left = await machine.must(
    'sh',
    '-c',
    'ls -d /etc/anycast-ha/* /run/anycast-ha /var/lib/anycast-ha /usr/sbin/*-probe ' +
      '/usr/share/doc/anycast-ha /etc/systemd/system/timers.target.wants/* 2>/dev/null || true',
  );
  expect(left).toBe('/etc/anycast-ha/dns.toml\n');
});

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { BootedSystemd } from '../support/booted-systemd.ts';
import { ROOT } from '../support/executable.ts';

// A whole machine boots here, maybe beside other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** What `systemd-analyze security` may count: 0 is no exposure, 10 is all. */
const MOST_EXPOSED = 2.5;

const UNITS = readdirSync(path.join(ROOT, 'dist/systemd')).map((file) => file.replace('@.', '@x.'));
const SERVICES = UNITS.filter((unit) => unit.endsWith('.service'));

let machine: BootedSystemd;

beforeAll(async () => {
  machine = await BootedSystemd.create();
  await machine.install();
  await machine.boot();
});

afterAll(async () => {
  await machine.dispose();
});

describe('the units', () => {
  test('are a service and a timer for each probe, and one for the shutdown', () => {
    const probes = readdirSync(path.join(ROOT, 'src/bin'))
      .map((file) => path.parse(file).name)
      .filter((name) => name.endsWith('-probe'));
    const expected = probes.flatMap((name) => [`${name}@x.service`, `${name}@x.timer`]);
    expect([...UNITS].sort()).toEqual([...expected, 'anycast-ha-shutdown.service'].sort());
  });

  test('satisfy systemd-analyze verify', async () => {
    const folder = '/usr/local/lib/systemd/system';
    const verify = ['verify', '--recursive-errors=no', '--man=no'];
    const files = readdirSync(path.join(ROOT, 'dist/systemd')).map((file) => `${folder}/${file}`);
    const { exitCode, stdout, stderr } = await machine.run('systemd-analyze', ...verify, ...files);
    expect({ exitCode, output: stdout + stderr }).toEqual({ exitCode: 0, output: '' });

    machine.write(`${folder}/broken.service`, '[Service]\nExecStart=/nowhere/program\n');
    const broken = await machine.run('systemd-analyze', ...verify, `${folder}/broken.service`);
    expect(broken.exitCode).not.toBe(0);
  });

  test.each(SERVICES)('%s is hardly exposed', async (service) => {
    const { stdout } = await machine.run('systemd-analyze', 'security', '--no-pager', service);
    const exposure = /exposure level for \S+: ([\d.]+)/.exec(stdout)?.[1];
    expect(Number(exposure)).toBeLessThanOrEqual(MOST_EXPOSED);
  });
});

/** Uncomments the address in the example of an instance, and gives it the example's name. */
function useExample(instance: string): void {
  const examples = '/usr/local/share/doc/anycast-ha/examples/config';
  const text = readFileSync(machine.root.path(`${examples}/${instance}.toml`), 'utf8');
  expect(text).toContain('\n#address = ');
  machine.configure(instance, text.replace('\n#address = ', '\naddress = '));
}

async function lastVerdict(instance: string): Promise<unknown> {
  const { stdout } = await machine.run('ha-status', '--json', instance);
  return JSON.parse(stdout);
}

describe('radius-probe', () => {
  test('gets its secret as a credential', async () => {
    machine.write('/etc/anycast-ha/radius.secret', 'much-secret\n', 0o600);
    useExample('radius');
    const startMs = Date.now();
    const { exitCode } = await machine.run('systemctl', 'start', 'radius-probe@radius.service');
    const lines = (await machine.ownJournal(startMs)).map(({ MESSAGE }) => MESSAGE).join('\n');
    expect(exitCode, lines).toBe(0);
    expect(lines).not.toMatch(/much-secret|secret-file/);
    expect(await lastVerdict('radius')).toMatchObject({ last_verdict: 'down' });
  });

  test('fails where there is no secret', async () => {
    machine.configure('other', 'server = "127.0.0.1"\n');
    const start = await machine.run('systemctl', 'start', 'radius-probe@other.service');
    expect(start.exitCode).toBe(1);
  });
});

describe('the other probes', () => {
  test('exec-probe runs a monitoring plugin with its few rights', async () => {
    machine.configure(
      'command',
      'command = ["/usr/lib/nagios/plugins/check_dummy", "0", "all is well"]\naddress = "192.0.2.5"\nrise = 1\n',
    );
    await machine.must('systemctl', 'start', 'exec-probe@command.service');
    expect(await machine.namespace.serviceAddresses()).toEqual(['192.0.2.5/32']);
  });

  /** The drop-in of the page, line by line: the comment in front of some lines, then they. */
  const dropIn = readFileSync(path.join(ROOT, 'man/exec-probe.8.md'), 'utf8')
    .split('    [Service]\n')[1]
    ?.split('\n\n')[0]
    ?.split('    # ')
    .slice(1)
    .map((part) => part.split('\n').map((line) => line.trim()));

  test.each([
    ['raw sockets', 'ping -c1 -W1 127.0.0.1'],
    ['raw sockets', '/usr/lib/nagios/plugins/check_icmp -H 127.0.0.1'],
    ['/root', 'cat /root/secret'],
    ['another user may read', 'cat /srv/secret'],
    ['write to', 'touch /var/lib/check/stamp'],
    ['become another user', 'setpriv --reuid=nobody --regid=nogroup --clear-groups true'],
  ])('exec-probe needs what the page says for %s: %s', async (what, command) => {
    machine.write('/root/secret', 'x\n', 0o600);
    machine.write('/srv/secret', 'x\n', 0o600);
    await machine.must('chown', 'nobody', '/srv/secret');
    await machine.must('mkdir', '-p', '/var/lib/check');
    machine.write('/root/check', `#!/bin/sh\n${command}\n`, 0o755);
    await machine.must('cp', '/root/check', '/usr/local/bin/check');
    machine.configure(
      'sandbox',
      'command = ["/usr/local/bin/check"]\ntimeout = "10s"\naddress = "192.0.2.9"\n',
    );
    const byHand = ['--timeout', '10s', '--', '/usr/local/bin/check'];
    expect((await machine.run('exec-probe', ...byHand)).stdout).toMatch(/^up: /);

    const folder = '/etc/systemd/system/exec-probe@sandbox.service.d';
    const underUnit = async (): Promise<unknown> => {
      await machine.must('systemctl', 'daemon-reload');
      await machine.must('systemctl', 'start', 'exec-probe@sandbox.service');
      return lastVerdict('sandbox');
    };
    expect(await underUnit(), 'as shipped').not.toMatchObject({ last_verdict: 'up' });
    const lines = dropIn?.find(([comment = '']) => comment.includes(what))?.slice(1) ?? [];
    expect(lines).not.toEqual([]);
    machine.write(`${folder}/allow.conf`, `[Service]\n${lines.join('\n')}\n`);
    expect(await underUnit(), lines.join(' ')).toMatchObject({ last_verdict: 'up' });
    await machine.must('rm', '-r', folder);
  });

  test('exec-probe has room for what its command starts', async () => {
    const shown = await machine.run('systemctl', 'show', '-P', 'TasksMax', 'exec-probe@x.service');
    expect(shown.stdout).toBe('1024\n');
  });

  test.each(['squid', 'syslog', 'http'])(
    '%s-probe comes to a verdict under its unit',
    async (name) => {
      useExample(name);
      await machine.must('systemctl', 'start', `${name}-probe@${name}.service`);
      expect(await lastVerdict(name)).toMatchObject({ last_verdict: 'down', addresses: [{}, {}] });
    },
  );

  test('tcp-route-probe changes routes under its unit', async () => {
    await machine.namespace.ip('link add eth1 type veth peer name far');
    for (const line of [
      'link set eth1 up',
      'link set far up',
      'address add 10.9.9.1/24 dev eth1',
    ]) {
      await machine.namespace.ip(line);
    }
    machine.configure('route', 'interface = "eth1"\naddress = "192.0.2.6"\nport = [9]\n');
    const startMs = Date.now();
    await machine.must('systemctl', 'start', 'tcp-route-probe@route.service');
    expect((await machine.ownJournal(startMs)).filter(({ PRIORITY }) => PRIORITY < '4')).toEqual(
      [],
    );
  });
});

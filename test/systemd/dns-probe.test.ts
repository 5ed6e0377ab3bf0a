import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { BootedSystemd } from '../support/booted-systemd.ts';
import { ADDRESSES, createDnsMachine, untilAdvertised } from '../support/dns-machine.ts';
import { executablePath, ROOT } from '../support/executable.ts';
import { until } from '../support/until.ts';

// A whole machine boots here, maybe beside other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const TIMER = 'dns-probe@recursive.timer';
const SERVICE = 'dns-probe@recursive.service';

/** `scripts/check --long` has the ten minutes of the promise: five lines at most. */
const QUIET_MS = process.env['ANYCAST_HA_LONG_TESTS'] === undefined ? 60_000 : 600_000;

let machine: BootedSystemd;

beforeAll(async () => {
  machine = await createDnsMachine();
  const startMs = Date.now();
  await machine.boot();
  await machine.must('systemctl', 'enable', '--now', 'unbound.service', TIMER);
  await untilAdvertised(machine, ADDRESSES);
  // The kernel shows the change a moment before the pass tells of it.
  await until('the line', async () =>
    (await machine.ownJournal(startMs)).some(({ MESSAGE }) => MESSAGE.includes(': up: ')),
  );
});

afterAll(async () => {
  await machine.dispose();
});

async function neverFailed(service = SERVICE): Promise<void> {
  expect(await machine.property(service, 'Result')).toBe('success');
  expect((await machine.run('systemctl', 'is-failed', service)).stdout.trim()).not.toBe('failed');
}

describe('a timer of a probe', () => {
  test('runs passes all the time, and leaves a quiet journal', { timeout: 900_000 }, async () => {
    const startMs = Date.now();
    const starts = new Set<string>();
    await until(
      'the quiet time',
      async () => {
        starts.add(await machine.property(SERVICE, 'ExecMainStartTimestampMonotonic'));
        return Date.now() - startMs > QUIET_MS;
      },
      { timeoutMs: QUIET_MS + 60_000, everyMs: 300 },
    );
    // The start limit of systemd would allow half of them.
    expect(starts.size).toBeGreaterThan((QUIET_MS / 2000) * 0.7);
    expect(starts.size).toBeLessThan((QUIET_MS / 2000) * 1.1 + 2);
    const lines = await machine.ownJournal(startMs);
    expect(lines.length, JSON.stringify(lines)).toBeLessThanOrEqual((5 * QUIET_MS) / 600_000);
    await neverFailed();
  });

  test('a resolver that is killed is withdrawn, with one line in the journal', async () => {
    const startMs = Date.now();
    await machine.must('systemctl', 'kill', '-s', 'KILL', 'unbound');
    await untilAdvertised(machine, []);
    await until('the line', async () => (await machine.ownJournal(startMs)).length > 0);
    const lines = await machine.ownJournal(startMs);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ PRIORITY: '5', SYSLOG_IDENTIFIER: 'dns-probe' });
    expect(lines[0]?.MESSAGE).toMatch(/^dns-probe: recursive: down: withdrew 192\.0\.2\.1\/32/);
    await neverFailed();
  });

  test('a resolver that works again is advertised, with one line in the journal', async () => {
    const startMs = Date.now();
    await machine.must('systemctl', 'start', 'unbound');
    await untilAdvertised(machine, ADDRESSES);
    await until('the line', async () => (await machine.ownJournal(startMs)).length > 0);
    const lines = await machine.ownJournal(startMs);
    expect(lines.map(({ PRIORITY }) => PRIORITY)).toEqual(['5']);
    expect(lines[0]?.MESSAGE).toMatch(/^dns-probe: recursive: up: advertising/);
  });

  test('a resolver that is frozen is withdrawn, and comes back when it thaws', async () => {
    await machine.must('systemctl', 'kill', '-s', 'STOP', 'unbound');
    await untilAdvertised(machine, []);
    await neverFailed();
    await machine.must('systemctl', 'kill', '-s', 'CONT', 'unbound');
    await untilAdvertised(machine, ADDRESSES);
  });

  test('goes on after a reload of systemd, and after the unit was stopped by hand', async () => {
    for (const args of [['daemon-reload'], ['daemon-reexec'], ['stop', SERVICE]]) {
      await machine.must('systemctl', ...args);
      const before = await machine.property(SERVICE, 'ExecMainStartTimestampMonotonic');
      await until(
        `passes after ${args.join(' ')}`,
        async () => (await machine.property(SERVICE, 'ExecMainStartTimestampMonotonic')) !== before,
      );
    }
    expect(await machine.namespace.serviceAddresses()).toEqual(ADDRESSES);
  });

  test('stopped, it leaves the address to its lease, or to --withdraw at once', async () => {
    machine.configure('leased', 'address = "192.0.2.8"\nlease = "6s"\nrise = 1\n');
    await machine.must('systemctl', 'start', 'dns-probe@leased.timer');
    await untilAdvertised(machine, [...ADDRESSES, '192.0.2.8/32']);
    await machine.must('systemctl', 'stop', 'dns-probe@leased.timer');
    await untilAdvertised(machine, ADDRESSES);

    await machine.must('systemctl', 'stop', TIMER);
    expect(await machine.namespace.serviceAddresses()).toEqual(ADDRESSES);
    const file = '/etc/anycast-ha/recursive.toml';
    await machine.must('dns-probe', '--config', file, '--withdraw', '--drain', '0');
    expect(await machine.namespace.serviceAddresses()).toEqual([]);
    await machine.must('systemctl', 'start', TIMER);
    await untilAdvertised(machine, ADDRESSES);
  });
});

describe('ha-status tells of an instance', () => {
  async function told(instance: string): Promise<{ exitCode: number | null; stdout: string }> {
    const { exitCode, stdout } = await machine.run('ha-status', instance);
    return { exitCode, stdout };
  }

  test.each([
    ['with a mistake in its configuration', 'address = "192.0.2.9"\nrize = 1\n', 78],
    ['whose address another one has', 'address = "192.0.2.1"\n', 78],
  ])('%s, with the exit status and where to look', async (_, text, status) => {
    machine.configure('wrong', text);
    const service = 'dns-probe@wrong.service';
    await machine.must('systemctl', 'start', 'dns-probe@wrong.timer');
    await until('a pass', async () => (await machine.property(service, 'Result')) === 'exit-code');
    expect(await told('wrong')).toMatchObject({
      exitCode: 1,
      stdout: expect.stringContaining(
        `! its passes fail (exit status ${status}): journalctl -u ${service}\n`,
      ) as string,
    });
    const plugin = await machine.run('ha-status', '--plugin');
    expect(plugin.exitCode).toBe(2);
    expect(plugin.stdout).toMatch(/^ANYCAST CRITICAL - .*wrong: its passes fail/);
    await machine.must('systemctl', 'stop', 'dns-probe@wrong.timer');
    await machine.must('systemctl', 'reset-failed', service);
    await machine.must('rm', '/etc/anycast-ha/wrong.toml');
  });

  test('whose timer is not enabled, or was stopped', async () => {
    machine.configure('idle', 'address = "192.0.2.9"\nrise = 1\n');
    expect((await told('idle')).stdout).toContain('! nothing has run /etc/anycast-ha/idle.toml');
    await machine.must('systemctl', 'start', 'dns-probe@idle.timer');
    await untilAdvertised(machine, [...ADDRESSES, '192.0.2.9/32']);
    await until('two passes', async () => (await told('idle')).exitCode === 0);
    const passes = async (): Promise<number> =>
      (
        JSON.parse((await machine.run('ha-status', '--json', 'idle')).stdout) as {
          interval_seconds: number | null;
        }
      ).interval_seconds ?? 0;
    await until('the interval', async () => (await passes()) > 0);
    await machine.must('systemctl', 'stop', 'dns-probe@idle.timer');
    await until('the silence', async () => (await told('idle')).exitCode === 1, {
      timeoutMs: 60_000,
    });
    expect((await told('idle')).stdout).toMatch(/! (?:nothing|its timer does not run|no pass for)/);
    await machine.must(
      ...['dns-probe', '--config', '/etc/anycast-ha/idle.toml', '--withdraw', '--drain', '0'],
    );
    await machine.must('rm', '/etc/anycast-ha/idle.toml');
  });
});

describe('a pass that does not go well', () => {
  /** An instance whose pass lasts a minute, because the resolver is frozen. */
  async function startSlowInstance(limit: string): Promise<void> {
    machine.configure('slow', 'address = "192.0.2.7"\ntimeout = "60s"\nattempts = 1\n');
    machine.write(
      '/etc/systemd/system/dns-probe@slow.service.d/test.conf',
      `[Service]\nTimeoutStartSec=${limit}\n`,
    );
    await machine.must('systemctl', 'kill', '-s', 'STOP', 'unbound');
    await machine.must('systemctl', 'daemon-reload');
    await machine.must('systemctl', 'start', 'dns-probe@slow.timer');
  }

  test('one that hangs is ended, and the timer goes on', async () => {
    const service = 'dns-probe@slow.service';
    const frozen = new Set<string>();
    const startMs = Date.now();
    await startSlowInstance('3s');
    await until(
      'three passes that were frozen',
      async () => {
        const pid = await machine.property(service, 'MainPID');
        if (pid !== '0') {
          await machine.run('kill', '-STOP', pid);
          frozen.add(pid);
        }
        return frozen.size >= 3;
      },
      { timeoutMs: 25_000, everyMs: 200 },
    );
    // Not by the unit's result, which the next pass overwrites.
    await until(
      'an end',
      async () =>
        (await machine.ownJournal(startMs)).some(({ MESSAGE }) =>
          MESSAGE.includes("Failed with result 'timeout'"),
        ),
      { timeoutMs: 30_000, everyMs: 300 },
    );

    await machine.must('systemctl', 'stop', 'dns-probe@slow.timer', service);
    await machine.must('systemctl', 'kill', '-s', 'CONT', 'unbound');
    await untilAdvertised(machine, ADDRESSES);
  });

  test('one that is interrupted, or finds another pass under way, is no failure', async () => {
    const service = 'dns-probe@slow.service';
    await startSlowInstance('90s');
    const file = '/etc/anycast-ha/slow.toml';
    const second = ['--config', file, '--lock-wait', '0s', '--timeout', '1s'];
    await until(
      'a pass under way',
      async () => (await machine.run('dns-probe', ...second)).exitCode === 75,
    );
    await machine.must('systemctl', 'stop', 'dns-probe@slow.timer', service);
    await neverFailed(service);
    await machine.must('systemctl', 'kill', '-s', 'CONT', 'unbound');
    await untilAdvertised(machine, ADDRESSES);
  });

  test('an unknown verdict is no failure of the unit', async () => {
    machine.configure('nowhere', 'address = "192.0.2.6"\ninterface = "missing0"\n');
    await machine.must('systemctl', 'start', 'dns-probe@nowhere.timer');
    const service = 'dns-probe@nowhere.service';
    await until(
      'exit status 69',
      async () => (await machine.property(service, 'ExecMainStatus')) === '69',
    );
    await neverFailed(service);
    await machine.must('systemctl', 'stop', 'dns-probe@nowhere.timer');
  });

  test('what is our fault, the kernel or the configuration is one, and OnFailure sees it', async () => {
    machine.write(
      '/etc/systemd/system/alarm@.service',
      '[Service]\nType=oneshot\nExecStart=/bin/touch /run/alarm-%i\n',
    );
    machine.write(
      '/etc/systemd/system/dns-probe@.service.d/alarm.conf',
      '[Unit]\nOnFailure=alarm@%i.service\n',
    );
    machine.write(
      '/etc/systemd/system/dns-probe@readonly.service.d/test.conf',
      '[Service]\nRuntimeDirectory=\nReadOnlyPaths=/run/anycast-ha\n',
    );
    machine.configure('readonly', 'address = "192.0.2.5"\n');
    machine.configure('wrong', 'adress = "192.0.2.5"\n');
    machine.configure('bug', 'address = "192.0.2.5"\n');
    machine.write('/root/hook.cjs', "Date.now = () => { throw new TypeError('broken here'); };\n");
    machine.write(
      '/etc/systemd/system/dns-probe@bug.service.d/test.conf',
      `[Service]\nExecStart=\nExecStart=${process.execPath} --require /root/hook.cjs /usr/local/sbin/dns-probe --config /etc/anycast-ha/%i.toml\nProtectHome=no\n`,
    );
    machine.configure('refused', 'address = "2001:db8::5"\ninterface = "plain0"\nrise = 1\n');
    await machine.namespace.ip('link add plain0 type veth peer name plain1');
    for (const end of ['plain0', 'plain1']) await machine.namespace.ip(`link set ${end} up`);
    const disable = 'net.ipv6.conf.plain0.disable_ipv6=1';
    await machine.namespace.exec('sysctl', ['-qw', disable]);
    const program = readFileSync(executablePath('dns-probe'), 'utf8');
    const node = `#!${process.execPath}\n`;
    const withoutHead = program.slice(program.indexOf('\n') + 1);
    machine.write('/usr/local/sbin/half', `${node}${withoutHead.slice(0, 100_000)}`, 0o755);
    machine.write(
      '/usr/local/sbin/nonode',
      `#!/usr/bin/env -S -u NODE_OPTIONS /usr/bin/no-such-node\n${withoutHead}`,
      0o755,
    );
    for (const name of ['half', 'nonode']) {
      machine.configure(name, 'address = "192.0.2.7"\n');
      const command = `/usr/local/sbin/${name} --config /etc/anycast-ha/%i.toml`;
      machine.write(
        `/etc/systemd/system/dns-probe@${name}.service.d/test.conf`,
        `[Service]\nExecStart=\nExecStart=${command}\n`,
      );
    }
    await machine.must('systemctl', 'daemon-reload');
    for (const [instance, status] of [
      ['readonly', '74'],
      ['wrong', '78'],
      ['bug', '70'],
      ['refused', '71'],
      ['half', '1'], // what Node says of a program that is not whole
      ['nonode', '127'],
    ] as const) {
      const service = `dns-probe@${instance}.service`;
      expect((await machine.run('systemctl', 'start', service)).exitCode).toBe(1);
      expect(await machine.property(service, 'ExecMainStatus')).toBe(status);
      expect(await machine.property(service, 'Result')).toBe('exit-code');
      await until('the alarm', async () => {
        await machine.must('test', '-e', `/run/alarm-${instance}`);
        return true;
      });
    }
  });
});

describe('scripts/uninstall', () => {
  test('ends the timers and withdraws, for nothing watches any more', async () => {
    machine.write(
      '/root/uninstall',
      readFileSync(path.join(ROOT, 'scripts/uninstall'), 'utf8'),
      0o755,
    );
    await machine.must('/root/uninstall');
    expect(await machine.namespace.serviceAddresses()).toEqual([]);
    const units = await machine.must(
      'systemctl',
      'list-units',
      '--all',
      '--no-legend',
      '*-probe@*',
    );
    expect(units).not.toContain('.timer');
    const left = await machine.must('sh', '-c', 'ls /usr/local/sbin /etc/anycast-ha');
    expect(left).not.toMatch(/ha-|dns-probe|squid\.toml/);
    expect(left).toContain('recursive.toml'); // it was edited
  });
});

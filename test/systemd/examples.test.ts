import { readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { BootedSystemd } from '../support/booted-systemd.ts';
import { runCommand } from '../support/child.ts';
import { createDebian13 } from '../support/debian13.ts';
import { ROOT } from '../support/executable.ts';
import { until } from '../support/until.ts';

// Whole machines boot here, maybe beside other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** The examples for daemons, each beside Debian's own files, and all of one daemon together. */
const EXAMPLES = path.join(ROOT, 'scripts/examples');
const INSTALLED = '/usr/local/share/doc/anycast-ha/examples';
/** What Debian 12 cannot have installed beside syslog-ng, only unpacked. */
const UNPACKED = path.join(ROOT, 'node_modules/.cache/debian');

const RELEASES: readonly (readonly [string, () => Promise<BootedSystemd>])[] = [
  [
    'Debian 12',
    async () => {
      const machine = await BootedSystemd.create();
      await machine.install();
      // /lib is a link there: what is unpacked goes through it.
      const copy = 'tar -C "$1" -c . | tar -C "$2" -x --keep-directory-symlink --skip-old-files';
      const { exitCode, stderr } = await runCommand('sh', [
        ...['-c', copy, 'sh', UNPACKED, machine.root.path('/')],
      ]);
      if (exitCode !== 0) throw new Error(stderr);
      return machine;
    },
  ],
  [
    'Debian 13',
    async () => {
      const machine = await createDebian13();
      await machine.install('/usr/bin/node');
      return machine;
    },
  ],
];

describe.each(RELEASES)('on %s, beside its own files,', (_, create) => {
  let machine: BootedSystemd;
  beforeAll(async () => {
    machine = await create();
    await machine.boot();
  });
  afterAll(async () => {
    await machine.dispose();
  });

  /** Puts all examples for a daemon into a folder of its configuration, but for some. */
  async function put(daemon: string, folder: string, ...but: readonly string[]): Promise<void> {
    const names = readdirSync(path.join(EXAMPLES, daemon)).filter((name) => !but.includes(name));
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) {
      await machine.must('install', '-m', '0644', `${INSTALLED}/${daemon}/${name}`, folder);
    }
  }

  async function startUnit(unit: string): Promise<void> {
    // Enabled, for its alias is what the socket of the journal looks for.
    const { exitCode } = await machine.run('systemctl', 'enable', '--now', unit);
    const journal = await machine.run('journalctl', '-u', unit, '-n', '20', '--no-pager');
    expect(exitCode, journal.stdout).toBe(0);
  }

  /** A service needs a moment after its start. */
  async function untilUp(probe: string, ...args: readonly string[]): Promise<void> {
    await until(
      `${probe} ${args.join(' ')}`,
      async () => {
        const { exitCode, stdout, stderr } = await machine.run(probe, ...args);
        if (exitCode !== 0) throw new Error(stdout + stderr);
        expect(stderr).toBe('');
        return true;
      },
      { timeoutMs: 30_000 },
    );
  }

  test('FreeRADIUS starts with the examples, and radius.toml works by hand and in its unit', async () => {
    const folder = '/etc/freeradius/3.0';
    const viewpoint = `${INSTALLED}/freeradius/viewpoint`;
    await machine.must(
      'install',
      '-m',
      '0640',
      '-g',
      'freerad',
      viewpoint,
      `${folder}/sites-enabled/`,
    );
    await put('freeradius', `${folder}/policy.d/`, 'viewpoint');
    // As message-authenticator says: named in the site that answers logins.
    await machine.must(
      'sed',
      '-i',
      's/^post-auth {$/&\\n\\tmessage_authenticator/',
      `${folder}/sites-available/default`,
    );
    expect(await machine.must('cat', `${folder}/sites-available/default`)).toContain(
      '\tmessage_authenticator',
    );
    await startUnit('freeradius.service');
    machine.write('/etc/anycast-ha/radius.secret', 'foobar\n', 0o600);
    await machine.must('cp', `${INSTALLED}/config/radius.toml`, '/etc/anycast-ha/radius.toml');
    await untilUp('radius-probe', '--config', '/etc/anycast-ha/radius.toml');
    await machine.must('sed', '-i', 's/^#address/address/', '/etc/anycast-ha/radius.toml');
    await machine.must('systemctl', 'start', 'radius-probe@radius.service');
    const status = await machine.run('ha-status', '--json', 'radius');
    expect(JSON.parse(status.stdout)).toMatchObject({ last_verdict: 'up' });
    await machine.must('systemctl', 'stop', 'freeradius.service');
  });

  test.each([
    ['syslog-ng', '/etc/syslog-ng/conf.d/', 'news.debug'],
    ['rsyslog', '/etc/rsyslog.d/', 'local0.debug'],
  ])('%s takes all its examples together', async (daemon, folder, priority) => {
    await put(daemon, folder);
    await startUnit(`${daemon}.service`);
    const tcp = ['--send', 'tcp://127.0.0.1:5514'];
    await untilUp('syslog-probe');
    if (daemon === 'syslog-ng') {
      const back = ['--listen', 'tcp://127.0.0.1:5515', '--timeout', '3s'];
      await untilUp('syslog-probe', ...tcp, ...back);
      const counted = ['--send', 'tcp://127.0.0.1:5516', '--framing', 'octet-counting'];
      await untilUp('syslog-probe', ...counted, ...back);
    } else {
      await untilUp('syslog-probe', ...tcp);
    }
    await untilUp('syslog-probe', '--send', 'unix:/dev/log', '--priority', priority);
    await machine.must('cp', `${INSTALLED}/config/syslog.toml`, '/etc/anycast-ha/syslog.toml');
    await untilUp('syslog-probe', '--config', '/etc/anycast-ha/syslog.toml');
    const said = await machine.run(
      'journalctl',
      '-u',
      `${daemon}.service`,
      '--no-pager',
      '-o',
      'cat',
    );
    expect(said.stdout).not.toMatch(/error|duplicate|already loaded|already been loaded/i);
    await machine.must('systemctl', 'disable', '--now', `${daemon}.service`);
  });

  test('squid starts with its example, and squid.toml works', async () => {
    await put('squid', '/etc/squid/conf.d/');
    await startUnit('squid.service');
    await machine.must('cp', `${INSTALLED}/config/squid.toml`, '/etc/anycast-ha/squid.toml');
    await untilUp('squid-probe', '--config', '/etc/anycast-ha/squid.toml');
    await machine.must('systemctl', 'stop', 'squid.service');
  });
});

test('there are no examples for other daemons', () => {
  const daemons = ['freeradius', 'rsyslog', 'squid', 'syslog-ng'];
  expect(readdirSync(EXAMPLES).sort()).toEqual(['config', 'tcp-route', ...daemons].sort());
});

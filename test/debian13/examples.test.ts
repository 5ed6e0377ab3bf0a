import { readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { BootedSystemd } from '../support/booted-systemd.ts';
import { INSTALLED_EXAMPLES, RELEASES } from '../support/debian-releases.ts';
import { ROOT } from '../support/executable.ts';
import { until } from '../support/until.ts';

// A whole machine boots here, maybe beside other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/**
 * Every example as it is shipped, put where it says that it belongs, beside the configuration that
 * Debian ships: on both releases, with Debian's own units.
 */

const EXAMPLES = path.join(ROOT, 'scripts/examples');

/** What other tests run as it is shipped. */
const ELSEWHERE = [
  /^config\/(?:recursive|command|route)\.toml$/, // test/install/examples.test.ts
  /^tcp-route\//, // test/kernel/tcp-route-probe.test.ts
];

describe.each(RELEASES)('on $name', ({ name, create }) => {
  /** Whether its FreeRADIUS signs the answers to logins by itself. */
  const signs = name !== 'Debian 12';
  let machine: BootedSystemd;
  const used = new Set<string>();

  /** Where an example is installed. */
  function shipped(name: string): string {
    used.add(name);
    return `${INSTALLED_EXAMPLES}/${name}`;
  }

  beforeAll(async () => {
    machine = await create();
    await machine.boot();
    await machine.must('mkdir', '-p', '/etc/anycast-ha');
  });

  afterAll(async () => {
    await machine.dispose();
  });

  /** What a pass by hand says that only asks, without the name of its instance. */
  async function verdict(probe: string, ...args: readonly string[]): Promise<string> {
    const { stdout, stderr } = await machine.run(probe, ...args);
    return (stdout + stderr).replace(/^\w+: (?=up|down|unknown)/, '');
  }

  describe('FreeRADIUS', () => {
    const RADDB = '/etc/freeradius/3.0';
    const CONFIG = '/etc/anycast-ha/radius.toml';

    test('starts with its own sites and the status server, and the shipped configuration says up', async () => {
      const sites = await machine.must('ls', `${RADDB}/sites-enabled`);
      expect(sites.split(/\s+/)).toEqual(expect.arrayContaining(['default', 'inner-tunnel']));
      const enable = ['install', '-m', '0640', '-g', 'freerad'] as const;
      await machine.must(...enable, shipped('freeradius/viewpoint'), `${RADDB}/sites-enabled/`);
      await machine.must('systemctl', 'start', 'freeradius');
      await machine.must('cp', shipped('config/radius.toml'), CONFIG);
      machine.write('/etc/anycast-ha/radius.secret', 'foobar\n', 0o600);
      expect(await verdict('radius-probe', '--config', CONFIG)).toBe(
        'up: Status-Server to 127.0.0.1:18121: Access-Accept\n',
      );
    });

    test('the unit finds the same secret as a pass by hand', async () => {
      await machine.must('sed', '-i', 's/^#address/address/', CONFIG);
      await machine.must('systemctl', 'start', 'radius-probe@radius.service');
      await machine.must('radius-probe', '--config', CONFIG);
      expect(await machine.namespace.serviceAddresses()).toEqual([
        '192.0.2.2/32',
        '2001:db8::2/128',
      ]);
      await machine.must('radius-probe', '--config', CONFIG, '--withdraw', '--drain', '0s');
    });

    test('signs the answers to logins with the policy, beside the site as Debian has it', async () => {
      machine.write('/etc/anycast-ha/login.secret', 'testing123\n', 0o600);
      machine.write('/etc/anycast-ha/password', 'right horse\n', 0o600);
      const users = `${RADDB}/mods-config/files/authorize`;
      await machine.must('sed', '-i', '1i probe Cleartext-Password := "right horse"', users);
      await machine.must('systemctl', 'restart', 'freeradius');
      const login = [
        ...['--mode', 'auth', '--secret-file', '/etc/anycast-ha/login.secret'],
        ...['--user', 'probe', '--timeout', '3s', '--attempts', '1', '--password-file'],
      ];
      const right = [...login, '/etc/anycast-ha/password'];
      expect(await verdict('radius-probe', ...right)).toMatch(
        signs ? /^up: / : /^down \(unauthenticated\): .*no Message-Authenticator/,
      );

      await machine.must('cp', shipped('freeradius/message-authenticator'), `${RADDB}/policy.d/`);
      // As the head of the example says.
      await machine.must(
        ...(['sed', '-i', '-e', 's/^post-auth {/&\\nmessage_authenticator/', '-e'] as const),
        ...['s/^\\tPost-Auth-Type REJECT {/&\\nmessage_authenticator/'],
        `${RADDB}/sites-available/default`,
      );
      await machine.must('systemctl', 'restart', 'freeradius');
      expect(await verdict('radius-probe', ...right)).toMatch(/^up: .*Access-Accept/);
      const wrong = [...login, '/etc/anycast-ha/login.secret', '--expect', 'reject'];
      expect(await verdict('radius-probe', ...wrong)).toMatch(/^up: .*Access-Reject/);
    });
  });

  /** Every choice of some of the files, but for none. */
  function combinations(files: readonly string[]): readonly (readonly string[])[] {
    return Array.from({ length: 2 ** files.length - 1 }, (_, choice) =>
      files.filter((__, index) => ((choice + 1) & (1 << index)) !== 0),
    );
  }

  /**
   * Puts every choice of a daemon's examples into its folder, and leaves all of them there.
   *
   * @param check looks at the daemon's whole configuration
   */
  async function addExamples(
    daemon: 'rsyslog' | 'syslog-ng',
    folder: string,
    files: readonly string[],
    check: () => Promise<void>,
  ): Promise<void> {
    await check();
    for (const choice of combinations(files)) {
      await machine.must('sh', '-c', `rm -f ${files.map((it) => `${folder}/${it}`).join(' ')}`);
      for (const file of choice) {
        await machine.must('cp', shipped(`${daemon}/${file}`), `${folder}/`);
      }
      await check();
    }
  }

  /** Waits until a question is answered, for the daemon may only just be starting. */
  async function untilUp(...args: readonly string[]): Promise<void> {
    await until(
      `syslog-probe ${args.join(' ')}`,
      async () => {
        const said = await verdict('syslog-probe', '--attempts', '1', ...args);
        if (!said.startsWith('up: ')) throw new Error(said);
        return true;
      },
      { everyMs: 200 },
    );
  }

  /** The log files that have a message of the probe's. The journal has them all. */
  async function logsWithProbes(): Promise<string> {
    const find = ['-rlI', '--exclude-dir=journal', 'anycast-ha probe', '/var/log'];
    return (await machine.run('grep', ...find)).stdout;
  }

  async function clearLogs(): Promise<void> {
    await machine.must('sh', '-c', 'rm -f /var/log/syslog /var/log/debug /var/log/*.log');
    expect(await logsWithProbes()).toBe('');
  }

  // The first of the two: it reads in the journal what was logged before it started.
  describe('syslog-ng', () => {
    afterEach(async () => {
      await machine.run('systemctl', 'stop', 'syslog-ng.service');
    });

    test('passes messages on every way with the examples, and writes none into its logs', async () => {
      const files = ['probe.conf', 'probe-tcp.conf', 'probe-unix.conf'];
      await addExamples('syslog-ng', '/etc/syslog-ng/conf.d', files, async () => {
        const checked = await machine.run('syslog-ng', '--syntax-only');
        expect(checked.exitCode, checked.stderr).toBe(0);
        expect(checked.stderr).not.toMatch(/error|warning|duplicate/i);
      });
      await machine.must('cp', shipped('config/syslog.toml'), '/etc/anycast-ha/syslog.toml');
      await clearLogs();
      // Only a start finds two destinations of one name for what syslog-ng remembers of them.
      await machine.must('systemctl', 'start', 'syslog-ng');
      await untilUp('--config', '/etc/anycast-ha/syslog.toml');
      const back = ['--listen', 'tcp://127.0.0.1:5515', '--timeout', '3s'];
      await untilUp('--send', 'tcp://127.0.0.1:5514', ...back);
      await untilUp('--send', 'tcp://127.0.0.1:5516', '--framing', 'octet-counting', ...back);
      await untilUp('--send', 'unix:/dev/log', '--priority', 'news.debug');
      await machine.must('logger', 'from somebody else');
      await until('the log', async () =>
        (await machine.must('cat', '/var/log/user.log')).includes('from somebody else'),
      );
      expect(await logsWithProbes()).toBe('');
    });
  });

  describe('rsyslog', () => {
    afterEach(async () => {
      await machine.run('systemctl', 'stop', 'rsyslog.service', 'syslog.socket');
    });

    test('passes messages on every way with the examples, and writes none into its logs', async () => {
      await addExamples(
        'rsyslog',
        '/etc/rsyslog.d',
        ['probe.conf', 'probe-unix.conf'],
        async () => {
          const checked = await machine.run('rsyslogd', '-N1');
          expect(checked.exitCode, checked.stderr).toBe(0);
          expect(checked.stderr).not.toMatch(/error|warning|already/i);
        },
      );
      await machine.must('cp', shipped('config/syslog.toml'), '/etc/anycast-ha/syslog.toml');
      await clearLogs();
      // Its socket is named for what is enabled.
      await machine.run('systemctl', 'enable', 'rsyslog');
      await machine.must('systemctl', 'start', 'rsyslog');
      await untilUp('--config', '/etc/anycast-ha/syslog.toml');
      await untilUp('--send', 'tcp://127.0.0.1:5514');
      await untilUp('--send', 'tcp://127.0.0.1:5514', '--format', 'rfc5424');
      await untilUp('--send', 'unix:/dev/log');
      await machine.must('logger', 'from somebody else');
      await until('the log', async () =>
        (await machine.must('cat', '/var/log/syslog')).includes('from somebody else'),
      );
      expect(await logsWithProbes()).toBe('');
    });
  });

  describe('squid', () => {
    test('answers with the example, and keeps the probe out of its log where that is asked for', async () => {
      const example = '/etc/squid/conf.d/probe.conf';
      /** It knows no name of this machine, of which it complains in any case. */
      const complaints = async (): Promise<readonly string[]> =>
        (await machine.run('squid', '-k', 'parse')).stderr.match(/(?:error|warning|fatal).*/gi) ??
        [];
      const before = await complaints();
      await machine.must('cp', shipped('squid/probe.conf'), example);
      await machine.must('cp', shipped('config/squid.toml'), '/etc/anycast-ha/squid.toml');
      expect(await complaints()).toEqual(before);
      await machine.must('sed', '-i', 's/^#   //', example);
      expect(await complaints()).toEqual(before);
      await machine.must('systemctl', 'start', 'squid');
      const config = ['--config', '/etc/anycast-ha/squid.toml'];
      await until(
        'squid',
        async () => (await machine.run('squid-probe', ...config)).exitCode === 0,
      );
      await machine.run('squid-probe', '--url', 'http://127.0.0.1:9/other', '--attempts', '1');
      const log = await machine.must('cat', '/var/log/squid/access.log');
      expect(log).toContain('http://127.0.0.1:9/other');
      expect(log).not.toContain('SN.png');
    });
  });

  describe('nginx', () => {
    test('answers with the example, beside the site as Debian has it', async () => {
      await machine.must('cp', shipped('config/http.toml'), '/etc/anycast-ha/http.toml');
      await machine.must('systemctl', 'start', 'nginx');
      const config = ['--config', '/etc/anycast-ha/http.toml'];
      expect(await verdict('http-probe', ...config)).toMatch(/^up: /);
      await machine.must('sed', '-i', 's/^#body/body/', '/etc/anycast-ha/http.toml');
      expect(await verdict('http-probe', ...config)).toMatch(/^up: /);
      await machine.must('systemctl', 'stop', 'nginx');
      expect(await verdict('http-probe', ...config)).toMatch(/^down \(refused\): /);
    });
  });

  test('every example is tried', () => {
    const files = readdirSync(EXAMPLES, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name: file }) => path.relative(EXAMPLES, path.join(parentPath, file)));
    const wanted = files.filter((file) => !ELSEWHERE.some((pattern) => pattern.test(file)));
    expect([...used].sort()).toEqual(wanted.sort());
  });
});

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Finished } from '../support/child.ts';
import { DnsSite } from '../support/dns-site.ts';
import { executablePath } from '../support/executable.ts';
import { until } from '../support/until.ts';

const V4 = '192.0.2.1';
const V6 = '2001:db8::1';
const BOTH = ['-a', V4, '-a', V6];

let site: DnsSite;
beforeEach(async () => {
  site = await DnsSite.create();
});
afterEach(async () => {
  await site.dispose();
});

/** A run whose descriptors a shell prepares: `$0` is the executable, `$@` its arguments. */
function inShell(redirection: string, args: readonly string[]): Promise<Finished> {
  const script = `"$0" "$@" ${redirection}`;
  return site.namespace.exec('sh', ['-c', script, executablePath('dns-probe'), ...site.args(args)]);
}

describe('exit status', () => {
  test('0: the service is up', async () => {
    const { exitCode, stdout, stderr } = await site.probe([]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^up: 127\.0\.0\.1:53 \. SOA: NOERROR, 1 answer in \d+ ms\n$/);
  });

  test('1: the service is down', async () => {
    await site.server.kill();
    const { exitCode, stdout, stderr } = await site.probe([]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: '' });
    expect(stdout).toMatch(/^down \(refused\): 127\.0\.0\.1:53 [^\n]+\n$/);
  });

  test.each([
    [['--rice', '2'], 'unknown option --rice (did you mean --rise?)'],
    [['--rise', 'two'], "--rise: 'two' is no whole number"],
    [['--rise'], '--rise needs a value'],
    [['-a', '127.0.0.1'], "--address: '127.0.0.1' cannot be a service address"],
    [['-a', 'ns.example.net'], '--address: '],
    [['-a', V4, '--server', V4], `the probe must not ask ${V4}: it is a service address`],
    [['-a', V6, '--server', '[2001:DB8:0::1]:53'], `the probe must not ask ${V6}`],
    [['--lease', '1500ms'], "--lease: '1500ms' is no lease"],
    [['--hold-down', '1h'], '--hold-down: is longer than --hold-down-max'],
    [['--withdraw', '--dry-run', '-a', V4], '--withdraw: cannot be combined with --dry-run'],
    [['stray', '-a', V4], "unexpected argument 'stray'"],
    [['-a', V4, '--', 'stray'], "unexpected argument 'stray'"],
  ])(
    '64: a mistake on the command line, as in %j, and nothing is touched',
    async (args, message) => {
      const { exitCode, stdout, stderr } = await site.probe(args);
      expect({ exitCode, stdout }).toEqual({ exitCode: 64, stdout: '' });
      expect(stderr).toMatch(/^dns-probe: [^\n]+\n$/);
      expect(stderr).toContain(message);
      expect(site.stateFiles()).toEqual([]);
    },
  );

  test('64: a mistake in the environment', async () => {
    const { exitCode, stderr } = await site.probe([], { env: { ANYCAST_HA_FALL: '0' } });
    expect(exitCode).toBe(64);
    expect(stderr).toBe("dns-probe: ANYCAST_HA_FALL: '0' is no whole number from 1 to 1000\n");
  });

  test('69: nobody can tell, because lo is down', async () => {
    await site.namespace.ip('link set lo down');
    const { exitCode, stdout, stderr } = await site.probe(['--attempts', '1']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 69, stderr: '' });
    expect(stdout).toMatch(/^unknown \(no-interface\): [^\n]+\n$/);
  });

  test('71: the kernel refuses an address', async () => {
    await site.namespace.exec('sysctl', ['-qw', 'net.ipv6.conf.lo.disable_ipv6=1']);
    const { exitCode, stdout, stderr } = await site.probe(['-a', V6, '--rise', '1']);
    expect({ exitCode, stdout }).toEqual({ exitCode: 71, stdout: '' });
    expect(stderr).toContain(`dns-probe: cannot add ${V6}/128 dev lo: `);
  });

  test('74: the state cannot be written', async () => {
    const { exitCode, stdout, stderr } = await site.probe([
      '-a',
      V4,
      '--state-dir',
      '/proc/nowhere',
    ]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 74, stdout: '' });
    expect(stderr).toMatch(/^dns-probe: \/proc\/nowhere: ENOENT[^\n]*\n$/);
  });

  test('75: another pass holds the lock', async () => {
    site.server.freeze();
    const first = await site.startProbe([...BOTH, '--timeout', '10s', '--attempts', '1']);
    await until('the lock', () => site.stateFiles().includes('dns-probe.lock'));
    const { exitCode, stdout, stderr } = await site.probe([...BOTH, '--lock-wait', '200ms']);
    expect({ exitCode, stdout }).toEqual({ exitCode: 75, stdout: '' });
    expect(stderr).toBe(`dns-probe: another pass (process ${first.pid}) holds the lock\n`);
    first.signal('SIGINT');
    expect((await first.finished).exitCode).toBe(130);
  });

  test('77: no permission, as an ordinary user who may not even write the state', async () => {
    const command = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath];
    const probe = [...command, executablePath('dns-probe'), ...site.args(BOTH)];
    const { exitCode, stdout, stderr } = await site.namespace.exec('setpriv', probe);
    expect({ exitCode, stdout }).toEqual({ exitCode: 77, stdout: '' });
    expect(stderr).toMatch(/^dns-probe: [^\n]+EACCES[^\n]+\n$/);
    // Only to ask, he needs no permission.
    const check = [...command, executablePath('dns-probe'), ...site.args([])];
    expect(await site.namespace.exec('setpriv', check)).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test.each([
    ['an unknown key', 'rice = 2', "unknown key 'rice' (did you mean 'rise'?)"],
    ['a wrong value', 'rise = "two"', "rise: 'two' is no whole number"],
    [
      'a switch of the moment',
      'withdraw = true',
      'withdraw: can only be given on the command line',
    ],
    ['a service address as target', `address = "${V4}"\nserver = "${V4}"`, 'must not ask'],
    ['no TOML', 'rise 2', 'line 1, column'],
  ])('78: %s in a configuration file', async (_what, text, message) => {
    const file = path.join(site.folder, 'resolver.toml');
    writeFileSync(file, `${text}\n`);
    const { exitCode, stdout, stderr } = await site.probe(['--config', file]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 78, stdout: '' });
    expect(stderr).toMatch(/^dns-probe: [^\n]+\n$/);
    expect(stderr).toContain(`${file}: `);
    expect(stderr).toContain(message);
    expect(site.stateFiles()).toEqual([]);
  });

  test('78: a configuration file that is not there', async () => {
    const { exitCode, stderr } = await site.probe(['--config', '/nowhere.toml']);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 78,
      stderr: 'dns-probe: /nowhere.toml: no such file\n',
    });
  });
});

describe('the options', () => {
  /** How the successes are counted shows which `--rise` was taken. */
  async function riseOf(args: readonly string[], env = {}): Promise<string> {
    const { stderr } = await site.probe(['-n', '-v', ...args], { env });
    return /\d+\/(\d+) successes/.exec(stderr)?.[1] ?? stderr;
  }

  test('come from flags, then the environment, then the file, then the defaults', async () => {
    const file = path.join(site.folder, 'resolver.toml');
    writeFileSync(file, `address = "${V4}"\nrise = 7\n`);
    const config = ['--config', file];
    const env = { ANYCAST_HA_RISE: '8' };
    expect(await riseOf(['-a', V4])).toBe('2');
    expect(await riseOf(config)).toBe('7');
    expect(await riseOf(config, env)).toBe('8');
    expect(await riseOf([...config, '--rise', '9'], env)).toBe('9');
  });

  test('with one value that are given twice take the last', async () => {
    expect(await riseOf(['-a', V4, '--rise', '4', '--rise', '5'])).toBe('5');
  });

  test('--once changes nothing', async () => {
    expect(await site.probe(['--once'])).toMatchObject({ exitCode: 0, stderr: '' });
  });
});

test('a target on another node is warned about, once', async () => {
  await site.namespace.ip('address add 203.0.113.5/24 dev lo');
  const args = ['-a', V4, '--server', '203.0.113.77', '--timeout', '100ms', '--attempts', '1'];
  const first = await site.probe(args);
  expect(first.stderr).toContain('warning: 203.0.113.77 is no address of this node');
  expect((await site.probe(args)).stderr).not.toContain('warning');
});

describe('a dry run', () => {
  test('tells what would change, and touches neither kernel nor state', async () => {
    await site.namespace.ip(`address add ${V4}/32 dev lo`);
    const { exitCode, stdout, stderr } = await site.probe(['-n', ...BOTH]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('up: ');
    expect(stdout).toContain(`would change: add ${V6}/128 dev lo\n`);
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`]);
    expect(readdirSync(site.folder)).toEqual([]);
    await site.server.kill();
    const down = await site.probe(['-n', ...BOTH, '--fall', '1']);
    expect(down).toMatchObject({ exitCode: 2, stderr: '' });
    expect(down.stdout).toContain(`would change: remove ${V4}/32 dev lo\n`);
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`]);
    expect(readdirSync(site.folder)).toEqual([]);
  });

  test('during a pass needs no lock and changes nothing of the state', async () => {
    await site.advertise(BOTH);
    const before = readFileSync(site.statePath(), 'utf8');
    expect(await site.probe(['-n', ...BOTH])).toMatchObject({ exitCode: 0 });
    expect(readFileSync(site.statePath(), 'utf8')).toBe(before);
  });
});

describe('nobody who reads', () => {
  test.each(['>&- 2>&-', '<&- >&- 2>&-', '>/dev/full 2>/dev/full'])(
    'as with %s, never ends a pass',
    async (redirection) => {
      const first = await inShell(redirection, [...BOTH, '--rise', '1', '-v', '--json']);
      expect(first.exitCode).toBe(0);
      expect(await site.namespace.serviceAddresses()).toHaveLength(2);
      expect(site.state().advertising).toBe(true);
      await site.server.kill();
      expect((await inShell(redirection, [...BOTH, '--fall', '1', '-v'])).exitCode).toBe(2);
      expect(await site.namespace.serviceAddresses()).toEqual([]);
      expect(site.stateFiles()).toEqual(['dns-probe.json']);
    },
  );

  test('as with a pipe whose reader is gone, never ends a pass', async () => {
    const { stdout } = await site.namespace.exec('bash', [
      '-c',
      '{ { sleep 0.2; "$0" "$@" 2>&1; echo "exit $?" >&3; } | true; } 3>&1',
      executablePath('dns-probe'),
      ...site.args([...BOTH, '--rise', '1', '-v', '--json']),
    ]);
    expect(stdout).toBe('exit 0\n');
    expect(await site.namespace.serviceAddresses()).toHaveLength(2);
  });
});

describe('what others are told', () => {
  test('--json prints one line for a pass', async () => {
    const { stdout, exitCode } = await site.probe([...BOTH, '--rise', '1', '--json']);
    expect(exitCode).toBe(0);
    expect(stdout.split('\n')).toHaveLength(2);
    expect(JSON.parse(stdout)).toMatchObject({
      instance: 'dns-probe',
      exit_status: 0,
      verdict: 'up',
      reason: null,
      health: 'up',
      advertising: true,
      transition: 'up',
      addresses: [
        { address: V4, interface: 'lo', present: true },
        { address: V6, interface: 'lo', present: true },
      ],
      problems: [],
    });
  });

  test('--metrics-dir holds one file for an instance, also of a withdrawal', async () => {
    const metrics = path.join(site.folder, 'metrics');
    mkdirSync(metrics);
    const read = (): string =>
      readFileSync(path.join(metrics, 'anycast_ha_dns-probe.prom'), 'utf8');
    await site.probe([...BOTH, '--rise', '1', '--metrics-dir', metrics]);
    expect(read()).toContain('anycast_ha_advertising{instance_name="dns-probe"} 1\n');
    await site.probe([...BOTH, '--withdraw', '--drain', '0', '--metrics-dir', metrics]);
    // Of an instance that is no more nothing is left that an alert could go by.
    expect(readdirSync(metrics)).toEqual([]);
    await site.probe([...BOTH, '--dry-run', '--metrics-dir', metrics]);
    expect(readdirSync(metrics)).toEqual([]);
    const missing = await site.probe([...BOTH, '--metrics-dir', path.join(site.folder, 'none')]);
    expect(missing.exitCode).toBe(0);
    expect(missing.stderr).toContain('warning: --metrics-dir: ');
  });

  test('--on-change runs after a transition, unlocked, with instance, state and reason', async () => {
    const hook = path.join(site.folder, 'hook');
    writeFileSync(hook, '#!/bin/sh\necho "$*:" $(ls "${0%/*}/state") >>"$0.log"\nexit 3\n', {
      mode: 0o755,
    });
    const args = [...BOTH, '--rise', '1', '--fall', '1', '--on-change', hook];
    const up = await site.probe(args);
    expect(up.exitCode).toBe(0); // its failure is reported, and changes nothing
    expect(up.stderr).toContain(`warning: --on-change: ${hook} exited with 3\n`);
    await site.probe(args);
    await site.server.kill();
    await site.probe(args);
    expect(readFileSync(`${hook}.log`, 'utf8').split('\n')).toEqual([
      expect.stringMatching(/^dns-probe up service up: claims dns-probe\.json/) as string,
      expect.stringMatching(/^dns-probe down refused: claims dns-probe\.json/) as string,
      '',
    ]);
    expect(readFileSync(`${hook}.log`, 'utf8')).not.toContain('.lock');
  });

  test('--on-change is killed when it hangs', async () => {
    const args = [...BOTH, '--rise', '1', '--on-change', '/bin/true'];
    const hook = path.join(site.folder, 'hook');
    writeFileSync(hook, '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 });
    const { exitCode, stderr } = await site.probe([...args, '--on-change', hook], {
      timeoutMs: 25_000,
    });
    expect(exitCode).toBe(0);
    expect(stderr).toContain(`warning: --on-change: ${hook} did not end within 10 s\n`);
  });

  test('-q leaves only errors', async () => {
    expect(await site.probe([...BOTH, '--rise', '1', '-q'])).toMatchObject({
      exitCode: 0,
      stdout: '',
      stderr: '',
    });
  });

  test('under systemd every line has its priority', async () => {
    const shell = 'exec 2>"$1"; export JOURNAL_STREAM=$(stat -Lc %d:%i "$1"); shift; exec "$@"';
    const journal = path.join(site.folder, 'journal');
    await site.namespace.exec('sh', [
      '-c',
      shell,
      'sh',
      journal,
      executablePath('dns-probe'),
      ...site.args([...BOTH, '--rise', '1']),
    ]);
    const lines = readFileSync(journal, 'utf8').trim().split('\n');
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(line).toMatch(/^<5>dns-probe: /);
  });
});

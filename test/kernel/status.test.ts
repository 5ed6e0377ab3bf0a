import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Finished } from '../support/child.ts';
import { DnsSite } from '../support/dns-site.ts';
import { run, start } from '../support/executable.ts';
import { until } from '../support/until.ts';

const V4 = '192.0.2.1';
const ADDRESS = ['-a', V4, '--rise', '1', '--fall', '1'];

let site: DnsSite;
beforeEach(async () => {
  site = await DnsSite.create();
});
afterEach(async () => {
  await site.dispose();
});

function status(...args: readonly string[]): Promise<Finished> {
  return run('ha-status', site.args(args), { namespace: site.namespace });
}

describe('ha-status', () => {
  test('shows nothing where nothing ran, and makes no folder for it', async () => {
    expect(await status()).toEqual({
      exitCode: 0,
      signal: null,
      stdout: 'no instance has run here since boot\n',
      stderr: '',
    });
    expect(await status('dns-probe')).toMatchObject({ exitCode: 66 });
    expect(await status('--plugin')).toMatchObject({ exitCode: 3 });
    expect(site.stateFiles()).toEqual([]);
  });

  test('shows an instance that is advertised', async () => {
    await site.advertise(ADDRESS);
    const { exitCode, stdout, stderr } = await status();
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const [header, summary, address, ...rest] = stdout.split('\n');
    expect(header).toMatch(/^INSTANCE +STATE +HEALTH +LAST PASS +LEASE LEFT$/);
    expect(summary).toMatch(/^dns-probe +advertised +up, 0\/1 failures +up, \S+ ago +(5m|4m\d+s)$/);
    expect(address).toBe(`  + ${V4}/32 dev lo present`);
    expect(rest).toEqual(['']);
  });

  test('exits 1 for a service that is down, and says why', async () => {
    await site.advertise(ADDRESS);
    await site.server.kill();
    await site.probe(ADDRESS);
    const { exitCode, stdout } = await status();
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/dns-probe +withdrawn +down, 0\/1 successes/);
    expect(stdout).toContain(
      'last verdict: down (refused): 127.0.0.1:53 . SOA: connection refused',
    );
    expect(await status('--plugin')).toMatchObject({ exitCode: 2 });
  });

  test('shows a suspension with holder, reason and end, which is as it should be', async () => {
    await site.advertise(ADDRESS);
    const args = [
      'dns-probe',
      '--by',
      'alice',
      '--reason',
      'new disk',
      '--for',
      '1h',
      '--drain',
      '0s',
    ];
    await run('ha-suspend', site.args(args), { namespace: site.namespace });
    const { exitCode, stdout } = await status();
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/dns-probe +suspended /);
    expect(stdout).toMatch(
      /suspended by alice, new disk, since \d\d:\d\d:\d\d \(\S+ ago\) by \S+, for (1h|59m\d+s) more\n/,
    );
    const plugin = await status('--plugin');
    expect(plugin.exitCode).toBe(1);
    expect(plugin.stdout).toMatch(
      /^ANYCAST WARNING - dns-probe: suspended by alice \| 'dns-probe addresses'=0;;;0;1 /,
    );
  });

  test('tells what is inconsistent: an address that is gone, one that should be', async () => {
    await site.advertise(ADDRESS);
    await site.namespace.ip(`address del ${V4}/32 dev lo`);
    const absent = await status();
    expect(absent.exitCode).toBe(1);
    expect(absent.stdout).toContain(`! ${V4}/32 dev lo is absent although it is up`);
    await site.advertise(ADDRESS);
    await run('ha-suspend', site.args(['dns-probe', '--drain', '0s']), {
      namespace: site.namespace,
    });
    await site.namespace.ip(`address add ${V4}/32 dev lo`);
    const present = await status();
    expect(present.exitCode).toBe(1);
    expect(present.stdout).toContain(`! ${V4}/32 dev lo is present although it is suspended`);
  });

  test('with --plugin says UNKNOWN on stdout, whatever is wrong', async () => {
    for (const args of [['nosuch'], ['--no-such-option'], ['--state-dir'], ['no/name']]) {
      const { exitCode, stdout, stderr } = await run('ha-status', ['--plugin', ...args], {
        namespace: site.namespace,
      });
      expect({ args, exitCode, stderr }).toEqual({ args, exitCode: 3, stderr: '' });
      expect(stdout).toMatch(/^ANYCAST UNKNOWN - [^\n|]+\n$/);
    }
  });

  test('shows configurations whose passes leave no state', async () => {
    const folder = `${site.folder}/conf.d`;
    mkdirSync(folder);
    const configured = (...args: readonly string[]): Promise<Finished> =>
      status('--config-dir', folder, ...args);
    writeFileSync(`${folder}/check.toml`, 'query = [". SOA"]\n'); // only checks: leaves none anyway
    writeFileSync(`${folder}/notes.txt`, '[');
    expect(await configured()).toMatchObject({ exitCode: 0, stderr: '' });

    writeFileSync(`${folder}/web.toml`, `address = "${V4}"\n`);
    const idle = await configured();
    expect(idle).toMatchObject({ exitCode: 1, stderr: '' });
    expect(idle.stdout).toMatch(
      /\nweb +withdrawn .*\n +! nothing has run \S+web\.toml since boot: systemctl enable --now PROBE@web\.timer\n/,
    );
    expect(idle.stdout).not.toMatch(/check|notes/);
    const plugin = await configured('--plugin');
    expect(plugin.exitCode).toBe(1);
    expect(plugin.stdout).toMatch(/^ANYCAST WARNING - web: nothing has run /);
    expect(await configured('web')).toMatchObject({ exitCode: 1 });

    writeFileSync(`${folder}/web.toml`, `address = [${V4}\n`);
    const broken = await configured('--plugin');
    expect(broken.exitCode).toBe(2);
    expect(broken.stdout).toMatch(/^ANYCAST CRITICAL - web: \S+web\.toml: line 1, column \d+: /);

    writeFileSync(`${folder}/web.toml`, `address = "${V4}"\nrise = 1\n`);
    await site.probe(['--config', `${folder}/web.toml`]);
    expect(await configured('--plugin')).toMatchObject({ exitCode: 0 });
  });

  test('shows an instance that is suspended before its first pass, and ha-resume ends it', async () => {
    mkdirSync(`${site.stateDir}/claims`, { recursive: true });
    symlinkSync('early', `${site.stateDir}/claims/${V4}`);
    const suspended = ['early', '--drain', '0s'];
    const suspend = await run('ha-suspend', site.args(suspended), { namespace: site.namespace });
    expect(suspend.exitCode).toBe(0);
    rmSync(`${site.stateDir}/claims/${V4}`);
    rmSync(`${site.stateDir}/early.json`);
    const { exitCode, stdout } = await status();
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/\nearly +suspended .*\n +suspended by manual, maintenance, since /);
    expect(stdout).not.toContain('!');
    const resumed = await run('ha-resume', site.args(['--all']), { namespace: site.namespace });
    expect(resumed.stderr).toMatch(/early: resumed by /);
    expect((await status()).stdout).toBe('no instance has run here since boot\n');
  });

  test('raises no alarm of an instance that is coming back', async () => {
    await site.advertise(ADDRESS);
    await run('ha-suspend', site.args(['dns-probe', '--drain', '0s']), {
      namespace: site.namespace,
    });
    await site.probe(ADDRESS); // sees that the service works, and the suspension
    await run('ha-resume', site.args(['dns-probe']), { namespace: site.namespace });
    const { exitCode, stdout } = await status();
    expect(stdout).toMatch(/dns-probe +coming back +up, /);
    expect({ exitCode, alarms: stdout.includes('!') }).toEqual({ exitCode: 0, alarms: false });
    const plugin = await status('--plugin');
    expect(plugin.exitCode).toBe(1);
    expect(plugin.stdout).toContain('dns-probe: coming back');
    await site.probe(ADDRESS);
    expect(await status('--plugin')).toMatchObject({ exitCode: 0 });
  });

  test('tells of a state that cannot be read', async () => {
    await site.advertise(ADDRESS);
    writeFileSync(site.statePath(), '{');
    const { exitCode, stdout } = await status();
    expect(exitCode).toBe(1);
    expect(stdout).toContain('! the state is corrupt');
  });

  test('with --json prints one line of JSON per instance', async () => {
    await site.advertise(ADDRESS);
    await site.probe(['-i', 'second', '-a', '192.0.2.2', '--rise', '1']);
    const { stdout, stderr } = await status('--json');
    const all = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(stderr).toBe('');
    expect(all).toMatchObject([
      { instance: 'dns-probe', as_it_should_be: true, addresses: [{ address: V4, present: true }] },
      { instance: 'second', as_it_should_be: true },
    ]);
  });

  test('with --plugin prints one line with perfdata', async () => {
    await site.advertise(ADDRESS);
    const { exitCode, stdout, stderr } = await status('--plugin');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(
      /^ANYCAST OK - 1 advertised \| 'dns-probe addresses'=1;;;0;1 'dns-probe age'=[\d.]+s 'dns-probe lease'=[\d.]+s\n$/,
    );
  });

  test('with --watch shows it again and again, until it is interrupted', async () => {
    await site.advertise(ADDRESS);
    const child = await start('ha-status', site.args(['--watch']), { namespace: site.namespace });
    await until('two looks', () => child.output.split('INSTANCE').length > 2);
    child.signal('SIGINT');
    expect(await child.finished).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test('needs no privilege to look', async () => {
    await site.advertise(ADDRESS);
    const result = await site.namespace.exec('setpriv', [
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      `${process.cwd()}/dist/ha-status`,
      ...site.args([]),
    ]);
    expect(result).toMatchObject({ exitCode: 0, stderr: '' });
    expect(result.stdout).toContain('advertised');
  });
});

import { existsSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Child } from '../support/child.ts';
import { Daemon } from '../support/daemon.ts';
import { ROOT, run, start } from '../support/executable.ts';
import { Namespace } from '../support/namespace.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

/** exec-probe with plugins of monitoring-plugins, on chrony and on a port of its own. */

const PLUGINS = '/usr/lib/nagios/plugins';
const CHECK_NTP = [`${PLUGINS}/check_ntp_time`, '-t', '2', '-H', '127.0.0.1'];
const CHECK_TCP = [`${PLUGINS}/check_tcp`, '-t', '2', '-H', '127.0.0.1', '-p'];

const folder = createTemporaryFolder();
let namespace: Namespace;

beforeAll(async () => {
  namespace = await Namespace.create();
});
afterAll(async () => {
  await namespace.dispose();
  removeTemporaryFolder(folder);
});

function probe(...args: readonly string[]): ReturnType<typeof run> {
  return run('exec-probe', args, { namespace });
}

/** Starts chrony where it cannot touch the clock (-x), as the source of its own time. */
async function startChrony(): Promise<Daemon> {
  const file = path.join(folder, 'chrony.conf');
  writeFileSync(
    file,
    [
      'local stratum 8',
      'allow 127.0.0.1',
      'bindaddress 127.0.0.1',
      'cmdport 0',
      `pidfile ${folder}/chronyd.pid`,
      '',
    ].join('\n'),
  );
  return Daemon.start({
    namespace,
    program: path.join(ROOT, 'node_modules/.cache/debian/usr/sbin/chronyd'),
    args: ['-d', '-x', '-u', 'root', '-f', file],
    ready: async () => (await namespace.exec('ss', ['-Huln', 'sport = :123'])).stdout !== '',
  });
}

function lines(file: string): string[] {
  return readFileSync(file, 'latin1').trim().split('\n');
}

/** Two passes, so that rise and fall are reached. */
async function passes(
  instance: string,
  address: string,
  command: readonly string[],
): Promise<{ exits: unknown[]; kernel: boolean }> {
  const args = [
    ...['--instance', instance, '--address', address, '--drain', '0s'],
    ...['--state-dir', path.join(folder, 'state'), '--persist-dir', path.join(folder, 'persist')],
    ...['--timeout', '3s', '--attempts', '1'],
  ];
  const exits = [];
  for (let pass = 0; pass < 2; pass++)
    exits.push((await probe(...args, '--', ...command)).exitCode);
  return { exits, kernel: (await namespace.serviceAddresses()).includes(`${address}/32`) };
}
const UP = { exits: [0, 0], kernel: true };
const DOWN = { exits: [2, 2], kernel: false };

describe('the service address follows a plugin', () => {
  test('check_ntp_time, on chrony that is up, frozen, thawed, stopped and started again', async () => {
    const chrony = await startChrony();
    const follow = (): ReturnType<typeof passes> => passes('ntp', '192.0.2.1', CHECK_NTP);
    expect(await follow()).toEqual(UP);
    chrony.freeze();
    expect(await follow()).toEqual(DOWN);
    chrony.thaw();
    expect(await follow()).toEqual(UP);
    await chrony.stop();
    expect(await follow()).toEqual(DOWN);
    await chrony.restart();
    expect(await follow()).toEqual(UP);
    await chrony.kill();
    expect(await follow()).toEqual(DOWN);
  });

  test('check_tcp, on a port that is open, and then is not; frozen it is still open', async () => {
    const listener = `require('node:net').createServer().listen(8053, '127.0.0.1')`;
    const server = await Daemon.start({
      namespace,
      program: process.execPath,
      args: ['-e', listener],
      ready: async () => (await namespace.exec('ss', ['-Htln', 'sport = :8053'])).stdout !== '',
    });
    const follow = (): ReturnType<typeof passes> =>
      passes('tcp', '192.0.2.2', [...CHECK_TCP, '8053']);
    expect(await follow()).toEqual(UP);
    server.freeze(); // the kernel goes on completing handshakes
    expect(await follow()).toEqual(UP);
    await server.kill();
    expect(await follow()).toEqual(DOWN);
    await server.restart();
    expect(await follow()).toEqual(UP);
    await server.stop();
  });
});

describe('what a plugin says is shown', () => {
  test('that it is well', async () => {
    const chrony = await startChrony();
    const { exitCode, stdout, stderr } = await probe('--timeout', '3s', '--', ...CHECK_NTP);
    await chrony.stop();
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^up: .*check_ntp_time: NTP OK: Offset .*\n$/);
  });

  test('that it is not', async () => {
    const { exitCode, stdout } = await probe('--', ...CHECK_TCP, '8054');
    expect(exitCode).toBe(2);
    expect(stdout).toMatch(/^down \(exit-status\): .*check_tcp: exit 2: .*Connection refused\n$/);
  });

  test('that it was called wrongly, which is unknown', async () => {
    const { exitCode, stdout } = await probe('--plugin', '--', `${PLUGINS}/check_tcp`);
    expect(exitCode).toBe(69);
    expect(stdout).toMatch(/^unknown \(reported\): .*check_tcp: exit 3: /);
  });

  test('that it warns, which is down unless it is said to be up', async () => {
    const dummy = [`${PLUGINS}/check_dummy`, '1', 'so so'];
    expect(await probe('--', ...dummy)).toMatchObject({
      exitCode: 2,
      stdout: `down (exit-status): ${PLUGINS}/check_dummy: exit 1: WARNING: so so\n`,
    });
    expect(await probe('--warning-is', 'up', '--', ...dummy)).toMatchObject({
      exitCode: 0,
      stdout: `up: ${PLUGINS}/check_dummy: exit 1: WARNING: so so\n`,
    });
  });
});

describe('a command', () => {
  test('that is missing is unknown, and leaves the address as it is', async () => {
    const state = path.join(folder, 'state');
    const args = [
      '--instance',
      'gone',
      '--address',
      '192.0.2.3',
      '--state-dir',
      state,
      '--rise',
      '1',
    ];
    expect((await probe(...args, '--', 'true')).exitCode).toBe(0);
    const missing = await probe(...args, '--verbose', '--', '/nonexistent/check');
    expect(missing.exitCode).toBe(69);
    expect(missing.stderr).toContain('no such program (ENOENT)');
    expect(await namespace.serviceAddresses()).toContain('192.0.2.3/32');
  });

  test('with a grandchild that holds its output keeps the pass waiting no longer', async () => {
    const startedMs = performance.now();
    const { exitCode, stdout } = await probe('--', 'sh', '-c', 'sleep 60 & echo well');
    expect(performance.now() - startedMs).toBeLessThan(15_000);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'up: sh: well\n' });
  });

  test('that ignores SIGTERM is killed at the timeout, with its children', async () => {
    const pidFile = path.join(folder, 'child.pid');
    const script = `trap '' TERM; sh -c 'echo $$ >${pidFile}; while :; do sleep 1; done' & wait`;
    const args = ['--timeout', '500ms', '--attempts', '1', '--', 'sh', '-c', script];
    expect(await probe(...args)).toMatchObject({
      exitCode: 2,
      stdout: 'down (timeout): sh: did not end in time and was killed\n',
    });
    const pid = readFileSync(pidFile, 'latin1').trim();
    await until('the end of the grandchild', () => !existsSync(`/proc/${pid}`));
  });

  test('ends with the pass when a signal ends that first', async () => {
    const pidFile = path.join(folder, 'interrupted.pid');
    const script = `echo $$ >${pidFile}; while :; do sleep 1; done`;
    const pass = await start('exec-probe', ['--timeout', '1h', '--', 'sh', '-c', script], {
      namespace,
    });
    await until('the command', () => readFileSync(pidFile, 'latin1').endsWith('\n'));
    pass.signal('SIGINT');
    expect((await pass.finished).exitCode).toBe(130);
    const pid = readFileSync(pidFile, 'latin1').trim();
    await until('the end of the command', () => !existsSync(`/proc/${pid}`));
  });

  describe.each([
    ['that runs', 'sleep 60 & wait'],
    [
      'whose first process has ended',
      'exec 1>&- 2>&-; sleep 60 & while [ ! -e $0 ]; do sleep 0.1; done; kill -9 $$',
    ],
  ])('%s', (_, rest) => {
    test('ends with the pass after one that was killed with -9', async () => {
      const pids = path.join(folder, `left-${rest.length}`);
      const args = [
        ...['--instance', 'left', '--address', '192.0.2.7', '--attempts', '1', '--rise', '1'],
        ...[
          '--state-dir',
          path.join(folder, 'state'),
          '--persist-dir',
          path.join(folder, 'persist'),
        ],
      ];
      const hang = `sh -c 'echo $$ >>${pids}; sleep 60' & echo $$ >>${pids}; ${rest}`;
      const pass = await start(
        'exec-probe',
        [...args, '--timeout', '1h', '--', 'sh', '-c', hang, `${pids}.end`],
        {
          namespace,
        },
      );
      // The command runs before its pass has noted it: killed between the two, the pass leaves nothing to go by.
      const noted = path.join(folder, 'state/left.command');
      await until('the note', () => readlinkSync(noted) !== '');
      await until('two processes', () => existsSync(pids) && lines(pids).length === 2);
      pass.signal('SIGKILL');
      await pass.finished;
      const [child = '', leader = ''] = lines(pids).sort((a, b) => Number(b) - Number(a));
      writeFileSync(`${pids}.end`, '');
      if (rest.includes('kill')) await until('its end', () => !existsSync(`/proc/${leader}/exe`));
      expect(existsSync(`/proc/${child}/exe`), 'it goes on').toBe(true);

      const next = await probe(...args, '--', 'true');
      expect(next.exitCode).toBe(0);
      expect(next.stderr).toMatch(
        /killed what a pass that was killed left running \(process [\d, ]+\)/,
      );
      await until('the end of all', () => !existsSync(`/proc/${child}/exe`));
      expect(existsSync(`/proc/${leader}/exe`)).toBe(false);
      expect(existsSync(noted)).toBe(false);
      expect(await probe(...args, '--', 'true')).toMatchObject({ exitCode: 0, stderr: '' });
    });
  });

  test('that was noted is left alone when its number belongs to another program by now', async () => {
    const args = [
      ...['--instance', 'other', '--address', '192.0.2.8', '--rise', '1'],
      ...['--state-dir', path.join(folder, 'state'), '--persist-dir', path.join(folder, 'persist')],
    ];
    expect((await probe(...args, '--', 'true')).exitCode).toBe(0);
    const stranger = await Child.start('sleep', ['60'], { group: true });
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    const note = `${stranger.pid} 1 ${boot} ${readlinkSync('/proc/self/ns/pid')}`;
    symlinkSync(note, path.join(folder, 'state/other.command'));
    expect(await probe(...args, '--', 'true')).toMatchObject({ exitCode: 0, stderr: '' });
    expect(existsSync(path.join(folder, 'state/other.command'))).toBe(false);
    expect(stranger.running).toBe(true);
    stranger.signal('SIGKILL');
  });

  test('is told its instance, and the health before the pass where that is known', async () => {
    const said = path.join(folder, 'said');
    const script = `echo "$ANYCAST_INSTANCE \${ANYCAST_HEALTH-}" >>${said}`;
    const state = path.join(folder, 'state');
    const args = [
      '--instance',
      'told',
      '--address',
      '192.0.2.4',
      '--state-dir',
      state,
      '--rise',
      '1',
    ];
    for (let pass = 0; pass < 2; pass++) await probe(...args, '--', 'sh', '-c', script);
    expect(readFileSync(said, 'utf8')).toBe('told \ntold up\n');
  });

  test('may stand in a configuration file', async () => {
    const file = path.join(folder, 'dummy.toml');
    writeFileSync(file, `command = ["${PLUGINS}/check_dummy", "0", "a b"]\n`, { mode: 0o644 });
    expect(await probe('--config', file)).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('OK: a b') as string,
    });
  });

  test('has to be given', async () => {
    expect(await probe()).toMatchObject({
      exitCode: 64,
      stderr: expect.stringContaining('no command') as string,
    });
  });
});

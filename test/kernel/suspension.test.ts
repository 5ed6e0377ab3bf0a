import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Child, Finished } from '../support/child.ts';
import { DnsSite } from '../support/dns-site.ts';
import { executablePath, ROOT, run, start } from '../support/executable.ts';
import { startUnbound } from '../support/service-daemons.ts';
import { until } from '../support/until.ts';

const V4 = '192.0.2.1';
const V6 = '2001:db8::1';
const BOTH = ['-a', V4, '-a', V6];
const ADVERTISED = [`${V4}/32`, `${V6}/128`];
/** Long enough to look at, short enough to wait for. */
const DRAIN = ['--drain', '1s'];

let site: DnsSite;
beforeEach(async () => {
  site = await DnsSite.create(startUnbound);
  await site.advertise(BOTH);
});
afterEach(async () => {
  await site.dispose();
});

function suspend(...args: readonly string[]): Promise<Finished> {
  return run('ha-suspend', site.args(args), { namespace: site.namespace });
}

function startSuspend(...args: readonly string[]): Promise<Child> {
  return start('ha-suspend', site.args(args), { namespace: site.namespace });
}

function resume(...args: readonly string[]): Promise<Finished> {
  return run('ha-resume', site.args(args), { namespace: site.namespace });
}

/** A pass that would advertise at once, if it may. */
function pass(...args: readonly string[]): Promise<Finished> {
  return site.probe([...BOTH, '--rise', '1', ...args]);
}

function shown(): Promise<string[]> {
  return site.namespace.serviceAddresses();
}

function suspensionFiles(): readonly string[] {
  const folder = path.join(site.stateDir, 'suspensions');
  return existsSync(folder) ? readdirSync(folder) : [];
}

describe('ha-suspend', () => {
  test('returns when the addresses are out and the drain is over, and says so in one line', async () => {
    const { exitCode, stdout, stderr } = await suspend('dns-probe', ...DRAIN);
    expect(await shown()).toEqual([]);
    expect(await site.drained()).toEqual([]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    expect(stderr).toBe(
      `ha-suspend: dns-probe: suspended; withdrew ${V4}/32 dev lo, ${V6}/128 dev lo\n`,
    );
  });

  test('keeps the addresses out however often the service is seen working, with exit status 0', async () => {
    await suspend('dns-probe', ...DRAIN);
    for (let i = 0; i < 3; i++) {
      expect(await pass()).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });
    }
    expect(await shown()).toEqual([]);
    await site.server.kill();
    expect(await pass(), 'suspended on purpose whatever the verdict').toMatchObject({
      exitCode: 0,
    });
  });

  test('drains: the node answers on through a local route of its own, then that is gone', async () => {
    const child = await startSuspend('dns-probe', '--drain', '3s');
    await until('the withdrawal', async () => (await shown()).length === 0);
    expect((await site.drained()).toSorted()).toEqual([V4, V6]);
    const { stdout } = await site.namespace.exec('dig', [
      '+short',
      '+tries=1',
      `@${V4}`,
      '.',
      'SOA',
    ]);
    expect(stdout).not.toBe('');
    expect(await child.finished).toMatchObject({ exitCode: 0 });
    expect(await site.drained()).toEqual([]);
  });

  test('does not drain a service that is down', async () => {
    await site.server.kill();
    await pass('--fall', '1');
    expect(await shown()).toEqual([]);
    const { stderr } = await suspend('dns-probe', '--drain', '20s');
    expect(stderr).toBe('ha-suspend: dns-probe: suspended; it was not advertised\n');
  });

  test('makes what counts for the return begin anew: rise passes from the suspension on', async () => {
    await suspend('dns-probe', ...DRAIN);
    await resume('dns-probe');
    await site.probe([...BOTH, '--rise', '2']);
    expect(await shown()).toEqual([]);
    await site.probe([...BOTH, '--rise', '2']);
    expect(await shown()).toEqual(ADVERTISED);
  });

  test('by two holders: the addresses return when both have resumed', async () => {
    await suspend('dns-probe', '--by', 'alice', ...DRAIN);
    await suspend('dns-probe', '--by', 'bob', ...DRAIN);
    const first = await resume('dns-probe', '--by', 'alice');
    expect(first.stderr).toContain('still suspended by bob');
    await pass();
    expect(await shown()).toEqual([]);
    await resume('dns-probe', '--by', 'bob');
    await pass();
    expect(await shown()).toEqual(ADVERTISED);
  });

  test('is refused under a name that somebody else holds, for all or none, unless it is to be replaced', async () => {
    await site.probe(['-i', 'second', '-a', '192.0.2.2', '--rise', '1']);
    await suspend('second', '--reason', 'new disk', '--drain', '0s');
    const file = path.join(site.stateDir, 'suspensions', 'second@manual.json');
    const theirs = readFileSync(file, 'utf8').replace(/"login":"[^"]+"/, '"login":"alice"');
    writeFileSync(file, theirs);
    const refused = await suspend('--all', '--drain', '0s');
    expect(refused.exitCode).toBe(75);
    expect(refused.stderr).toMatch(
      /^ha-suspend: second: suspended already as 'manual' since \d\d:\d\d:\d\d \(\S+ ago\) by alice: give another name/,
    );
    expect(suspensionFiles()).toEqual(['second@manual.json']);
    expect(readFileSync(file, 'utf8')).toBe(theirs);
    expect(await shown()).toEqual(ADVERTISED);
    const replaced = await suspend('second', '--replace', '--drain', '0s');
    expect(replaced.exitCode).toBe(0);
    expect(replaced.stderr).toContain("takes the place of the suspension as 'manual' since ");
    const again = await suspend('second', '--for', '1h', '--drain', '0s');
    expect(again).toMatchObject({ exitCode: 0 }); // one's own may be written anew
    expect(again.stderr).toContain('takes the place of');
  });

  test('with --for ends by itself', async () => {
    await suspend('dns-probe', '--for', '5s', '--drain', '0s');
    await pass();
    expect(await shown()).toEqual([]);
    await until('the end', async () => {
      await pass();
      return (await shown()).length > 0;
    });
    expect(await shown()).toEqual(ADVERTISED);
  });

  test('all instances at once are withdrawn first and drained together', async () => {
    await site.probe(['-i', 'second', '-a', '192.0.2.2', '--rise', '1']);
    const began = performance.now();
    const child = await startSuspend('--all', '--drain', '5s');
    await until('both withdrawals', async () => (await shown()).length === 0);
    const drained = await site.drained();
    const { exitCode } = await child.finished;
    expect(exitCode).toBe(0);
    expect(drained.toSorted()).toEqual([V4, '192.0.2.2', V6].toSorted());
    expect(performance.now() - began, 'one drain, not one after the other').toBeLessThan(9900);
    expect(await site.drained()).toEqual([]);
  });

  test('an unreadable suspension counts as one, and is said', async () => {
    const folder = path.join(site.stateDir, 'suspensions');
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'dns-probe@eve.json'), '{"version":');
    const { exitCode, stderr } = await pass();
    expect(exitCode).toBe(0);
    expect(stderr).toContain('suspended by eve (its file cannot be read)');
    expect(await shown()).toEqual([]);
    expect((await resume('dns-probe', '--everyone')).exitCode).toBe(0);
    await pass();
    expect(await shown()).toEqual(ADVERTISED);
  });

  test('waits for a pass that is under way, which adds nothing any more', async () => {
    site.server.freeze();
    const slow = await site.startProbe([...BOTH, '--timeout', '1500ms', '--attempts', '1']);
    await until('the lock', () => site.stateFiles().includes('dns-probe.lock'));
    const { exitCode } = await suspend('dns-probe', '--drain', '0s');
    expect(exitCode).toBe(0);
    expect(await shown()).toEqual([]);
    await slow.finished;
    site.server.thaw();
    await pass();
    expect(await shown()).toEqual([]);
  });

  test('waits for no pass where nothing is advertised: whoever starts a service again is in a hurry', async () => {
    await site.probe([...BOTH, '--server', '127.0.0.1:9', '--fall', '1', '--attempts', '1']);
    expect(await shown()).toEqual([]);
    site.server.freeze();
    const slow = await site.startProbe([...BOTH, '--timeout', '60s', '--attempts', '1']);
    await until('the lock', () => site.stateFiles().includes('dns-probe.lock'));
    const { exitCode, stderr } = await suspend('dns-probe');
    expect(exitCode).toBe(0);
    expect(stderr).toContain('suspended; it was not advertised');
    expect(site.stateFiles()).toContain('dns-probe.lock');
    expect(slow.running).toBe(true);
    site.server.thaw();
    await slow.finished;
    await pass();
    expect(await shown()).toEqual([]);
  });

  test('finds the addresses by their claims when the state is lost', async () => {
    writeFileSync(site.statePath(), 'rubbish');
    expect(await suspend('dns-probe', ...DRAIN)).toMatchObject({ exitCode: 0 });
    expect(await shown()).toEqual([]);
  });

  test.each([
    [['x'], 66, "ha-suspend: no instance 'x' (known are dns-probe)\n"],
    [[], 64, 'ha-suspend: name an instance, or give --all\n'],
    [['../etc'], 64, "ha-suspend: '../etc' is no instance name\n"],
    [
      ['dns-probe', '--all'],
      64,
      'ha-suspend: --all: cannot be combined with the names of instances\n',
    ],
    [
      ['dns-probe', '--keep-on-failure'],
      64,
      'ha-suspend: --keep-on-failure: needs a command behind --\n',
    ],
    [['dns-probe', '--by', '-x'], 64, /^ha-suspend: --by/],
    [['dns-probe', '--for', '0s'], 64, 'ha-suspend: --for: must be longer than 0\n'],
  ])('refuses %j with exit status %i', async (args, exitCode, message) => {
    const result = await suspend(...args);
    expect(result).toMatchObject({ exitCode, stdout: '' });
    expect(result.stderr).toMatch(message);
    expect(await shown()).toEqual(ADVERTISED);
  });
});

describe('ha-suspend with a command', () => {
  test('runs it while the addresses are out, resumes, and exits with its status', async () => {
    const script = 'ip -o address show dev lo | grep -c 192.0.2.1; exit 3';
    const result = await suspend('dns-probe', ...DRAIN, '--', 'sh', '-c', script);
    expect(result).toMatchObject({ exitCode: 3, stdout: '0\n' });
    expect(result.stderr).toMatch(/ha-suspend: dns-probe: resumed by \S+\n/);
    expect(suspensionFiles()).toEqual([]);
    await pass();
    expect(await shown()).toEqual(ADVERTISED);
  });

  test('resumes also when the command is killed', async () => {
    const result = await suspend('dns-probe', ...DRAIN, '--', 'sh', '-c', 'kill -KILL $$');
    expect(result.exitCode).toBe(128 + 9);
    expect(suspensionFiles()).toEqual([]);
  });

  test('resumes also when the command cannot be found', async () => {
    const result = await suspend('dns-probe', ...DRAIN, '--', '/nonexistent/command');
    expect(result.exitCode).toBe(127);
    expect(result.stderr).toMatch(/ha-suspend: .*\/nonexistent\/command: not found/);
    expect(suspensionFiles()).toEqual([]);
  });

  test.each([
    ['SIGTERM', 15],
    ['SIGINT', 2],
  ] as const)('forwards %s to the command, waits for it, then resumes', async (signal, number) => {
    const marker = path.join(site.folder, 'ended');
    const script = `trap 'sleep 0.5; echo done > ${marker}; exit ${128 + number}' TERM INT; echo up; while :; do sleep 0.1; done`;
    const child = await startSuspend('dns-probe', '--drain', '0s', '--', 'sh', '-c', script);
    await until('the command', () => child.output.includes('up'));
    child.signal(signal);
    const { exitCode } = await child.finished;
    expect(exitCode).toBe(128 + number);
    expect(readFileSync(marker, 'utf8')).toBe('done\n');
    expect(suspensionFiles()).toEqual([]);
  });

  /** What a command notes of the signals that it gets, until it is told to end. */
  const counts = (file: string): readonly string[] => [
    'sh',
    '-c',
    `for s in INT TERM; do trap "echo $s >> ${file}" $s; done; echo up; while [ ! -e ${file}.stop ]; do sleep 0.05; done`,
  ];

  test.each([
    ['a signal of its own', false, ['TERM']],
    ['a signal of the whole group, as by a terminal,', true, ['INT', 'TERM']],
  ])('%s reaches the command once, with /dev/null as stdin', async (_, group, expected) => {
    const noted = path.join(site.folder, 'noted');
    const args = site.args(['dns-probe', '--drain', '0s', '--', ...counts(noted)]);
    const child = await start('ha-suspend', args, { namespace: site.namespace, group });
    await until('the command', () => child.output.includes('up'));
    for (const name of expected) {
      child.signal(name === 'INT' ? 'SIGINT' : 'SIGTERM');
      await until(
        `SIG${name}`,
        () => existsSync(noted) && readFileSync(noted, 'utf8').includes(name),
      );
      await sleep(500); // a second one would have come by now
    }
    writeFileSync(`${noted}.stop`, '');
    expect((await child.finished).exitCode).toBe(0);
    expect(readFileSync(noted, 'utf8').trim().split('\n')).toEqual(expected);
  });

  test('a signal reaches the command once, with a terminal as stdin', async () => {
    const noted = path.join(site.folder, 'noted');
    const line = [executablePath('ha-suspend'), ...site.args(['dns-probe', '--drain', '0s', '--'])];
    writeFileSync(`${noted}.sh`, counts(noted)[2] ?? '');
    const command = `echo "pid $$"; exec ${[process.execPath, ...line].join(' ')} sh ${noted}.sh`;
    const child = await site.namespace.spawn('script', ['-qefc', command, '/dev/null'], {
      env: { ...process.env, SHELL: '/bin/sh' },
    });
    await until('the command', () => child.output.includes('up\r\n'));
    const pid = Number(/pid (\d+)/.exec(child.output)?.[1]);
    process.kill(pid, 'SIGINT');
    await until('SIGINT', () => existsSync(noted));
    await sleep(500); // a second one would have come by now
    process.kill(-pid, 'SIGTERM');
    await until('SIGTERM', () => readFileSync(noted, 'utf8').includes('TERM'));
    await sleep(500);
    writeFileSync(`${noted}.stop`, '');
    expect((await child.finished).exitCode).toBe(0);
    expect(readFileSync(noted, 'utf8').trim().split('\n')).toEqual(['INT', 'TERM']);
  });

  test('behind setsid -w the command outlives its terminal, and the instance stays out', async () => {
    const noted = path.join(site.folder, 'noted');
    writeFileSync(`${noted}.sh`, counts(noted)[2] ?? '');
    const args = site.args(['dns-probe', '--drain', '0s', '--', 'sh', `${noted}.sh`]);
    const line = [process.execPath, executablePath('ha-suspend'), ...args].join(' ');
    const child = await site.namespace.spawn(
      'script',
      ['-qefc', `setsid -w ${line}`, '/dev/null'],
      {
        env: { ...process.env, SHELL: '/bin/sh' },
      },
    );
    await until('the command', () => child.output.includes('up\r\n'));
    child.signal('SIGKILL'); // the other end of the terminal
    await child.finished;
    await sleep(500);
    await pass();
    expect(await shown(), 'suspended').toEqual([]);
    expect(suspensionFiles()).toHaveLength(1);
    writeFileSync(`${noted}.stop`, '');
    await until('the end', () => suspensionFiles().length === 0);
    expect(existsSync(noted), 'a signal').toBe(false);
  });

  test('a signal before the command cuts the drain short, and the command is not run', async () => {
    const child = await startSuspend(
      'dns-probe',
      '--drain',
      '30s',
      '--',
      'touch',
      `${site.folder}/ran`,
    );
    await until('the withdrawal', async () => (await shown()).length === 0);
    child.signal('SIGTERM');
    expect((await child.finished).exitCode).toBe(128 + 15);
    expect(existsSync(`${site.folder}/ran`)).toBe(false);
    expect(await site.drained()).toEqual([]);
    expect(suspensionFiles()).toEqual([]);
  });

  test('of no instance is told, also around a command', async () => {
    const empty = ['--state-dir', path.join(site.folder, 'none'), '--all'];
    for (const command of [[], ['--', 'true']]) {
      const { exitCode, stderr } = await run('ha-suspend', [...empty, ...command], {
        namespace: site.namespace,
      });
      expect(exitCode).toBe(0);
      expect(stderr).toContain('no instance runs here: nothing is suspended');
    }
  });

  test('by another user is refused in words, with 77', async () => {
    for (const program of ['ha-suspend', 'ha-resume']) {
      const as = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath];
      const args = [...as, executablePath(program), ...site.args(['dns-probe'])];
      const { exitCode, stderr } = await site.namespace.exec('setpriv', args);
      expect({ program, exitCode }).toEqual({
        program,
        exitCode: program === 'ha-resume' ? 0 : 77,
      });
      if (program === 'ha-suspend')
        expect(stderr).toMatch(/^ha-suspend: [^\n]*no permission[^\n]*\n$/);
      expect(stderr).not.toMatch(/EACCES|\.tmp/);
    }
    expect(suspensionFiles()).toEqual([]);
  });

  test('with --keep-on-failure stays suspended when the command fails, and only then', async () => {
    await suspend('dns-probe', '--keep-on-failure', ...DRAIN, '--', 'true');
    expect(suspensionFiles()).toEqual([]);
    await pass();
    const result = await suspend('dns-probe', '--keep-on-failure', ...DRAIN, '--', 'false');
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('stays suspended');
    await pass();
    expect(await shown()).toEqual([]);
    await resume('dns-probe');
    await pass();
    expect(await shown()).toEqual(ADVERTISED);
  });

  test("ends nobody else's suspension: a person's, another job's, one across reboots", async () => {
    for (const theirs of [['--reason', 'swapping disk'], ['--across-reboot']]) {
      await suspend('dns-probe', ...theirs, '--drain', '0s');
      const { exitCode, stderr } = await suspend('dns-probe', '--drain', '0s', '--', 'true');
      expect(exitCode).toBe(0);
      expect(stderr).toContain('still suspended by manual');
      await pass();
      expect(await shown()).toEqual([]);
      await resume('dns-probe');
      await pass();
      expect(await shown()).toEqual(ADVERTISED);
    }
  });

  test('two at once: the addresses return when both are over', async () => {
    const stop = path.join(site.folder, 'stop-two');
    const script = `echo up; while [ ! -e ${stop} ]; do sleep 0.1; done`;
    const long = await startSuspend('dns-probe', '--drain', '0s', '--', 'sh', '-c', script);
    await until('the long one', () => long.output.includes('up'));
    await suspend('dns-probe', '--drain', '0s', '--', 'true');
    await pass();
    expect(await shown(), 'the long one still runs').toEqual([]);
    writeFileSync(stop, '');
    expect((await long.finished).exitCode).toBe(0);
    await pass();
    expect(await shown()).toEqual(ADVERTISED);
    expect(suspensionFiles()).toEqual([]);
  });

  test('leaves what somebody wrote anew by its name meanwhile', async () => {
    const stop = path.join(site.folder, 'stop-anew');
    const script = `echo up; while [ ! -e ${stop} ]; do sleep 0.1; done`;
    const options = ['--by', 'upgrade', '--drain', '0s'];
    const command = await startSuspend('dns-probe', ...options, '--', 'sh', '-c', script);
    await until('the command', () => command.output.includes('up'));
    await suspend('dns-probe', ...options, '--reason', 'it takes longer');
    writeFileSync(stop, '');
    expect((await command.finished).exitCode).toBe(0);
    await pass();
    expect(await shown()).toEqual([]);
    expect(suspensionFiles()).toEqual(['dns-probe@upgrade.json']);
  });

  test('that could not suspend resumes nothing', async () => {
    await suspend('dns-probe', '--drain', '0s');
    const folder = path.join(site.stateDir, 'suspensions');
    await site.namespace.exec('chattr', ['+i', folder]);
    const { exitCode } = await suspend('dns-probe', '--drain', '0s', '--', 'true');
    await site.namespace.exec('chattr', ['-i', folder]);
    expect(exitCode).not.toBe(0);
    await pass();
    expect(await shown()).toEqual([]);
  });

  test('with --wait tells whether it came back', async () => {
    const silent = await suspend(
      ...['dns-probe', '--drain', '0s', '--wait', '500ms', '--', 'true'],
    );
    expect(silent.exitCode).toBe(1);
    expect(silent.stderr).toContain('not advertised after 500ms: ');
    const waiting = await startSuspend(
      ...['dns-probe', '--drain', '0s', '--wait', '20s', '--', 'true'],
    );
    let isBack = false;
    const finished = waiting.finished.finally(() => {
      isBack = true;
    });
    await until('the return', async () => {
      await pass();
      return isBack;
    });
    expect((await finished).exitCode).toBe(0);
    expect(await shown()).toEqual(ADVERTISED);
    const failed = await suspend(
      ...['dns-probe', '--drain', '0s', '--wait', '20s', '--', 'sh', '-c', 'exit 5'],
    );
    expect(failed.exitCode).toBe(5);
  });

  test('with --for and --keep-on-failure ends when it would have ended', async () => {
    const began = performance.now();
    const script = 'sleep 3; exit 1';
    const args = ['--for', '4s', '--keep-on-failure', '--drain', '0s'];
    expect((await suspend('dns-probe', ...args, '--', 'sh', '-c', script)).exitCode).toBe(1);
    const [kept] = suspensionFiles();
    const file = path.join(site.stateDir, 'suspensions', kept ?? '');
    const { untilBootMs, sinceWallMs, untilWallMs } = JSON.parse(
      readFileSync(file, 'utf8'),
    ) as Record<string, number>;
    expect(kept).toBe('dns-probe@manual.json');
    expect((untilWallMs ?? 0) - (sinceWallMs ?? 0)).toBe(4000);
    expect(untilBootMs).toBeGreaterThan(0);
    expect(performance.now() - began).toBeGreaterThan(2900);
    await until('the end', async () => {
      await pass();
      return (await shown()).length > 0;
    });
  });

  test('with --keep-on-failure stays suspended in all instances, however often it is terminated', async () => {
    const began = path.join(site.folder, 'began');
    for (let n = 2; n <= 12; n += 1) {
      await site.probe(['-i', `more${n}`, '-a', `192.0.2.${n}`, '--rise', '1']);
    }
    const child = await startSuspend(
      '--all',
      '--keep-on-failure',
      '--drain',
      '0s',
      '--',
      'sh',
      '-c',
      `: >${began}; exec sleep 60`,
    );
    await until('the command', () => existsSync(began));
    child.signal('SIGTERM');
    for (let more = 0; more < 5; more += 1) {
      await sleep(5);
      child.signal('SIGTERM');
    }
    expect((await child.finished).exitCode).toBe(128 + 15);
    expect(suspensionFiles().filter((file) => file.endsWith('@manual.json'))).toHaveLength(12);
    await resume('--all');
  });

  test('killed with -9 its suspension lasts while the command runs, and ends with it', async () => {
    const stop = path.join(site.folder, 'stop');
    const child = await startSuspend(
      'dns-probe',
      '--drain',
      '0s',
      '--',
      'sh',
      '-c',
      `echo up; while [ ! -e ${stop} ]; do sleep 0.1; done`,
    );
    await until('the command', () => child.output.includes('up'));
    child.signal('SIGKILL');
    await until('the end of ha-suspend', () => !existsSync(`/proc/${child.pid}/exe`));
    await pass();
    expect(await shown(), 'the command still runs').toEqual([]);
    writeFileSync(stop, '');
    await child.finished; // its output ends with the command's
    await until('the end of the suspension', async () => {
      await pass();
      return (await shown()).length > 0;
    });
    expect(await shown()).toEqual(ADVERTISED);
  });

  test('killed with -9 during the drain: the next pass after its end removes the route', async () => {
    const child = await startSuspend('dns-probe', '--drain', '8s');
    await until('the drain', async () => (await site.drained()).length === 2);
    child.signal('SIGKILL');
    await pass();
    expect(await site.drained(), 'its time is not over').toHaveLength(2);
    await until('the end of the drain', async () => {
      await pass();
      return (await site.drained()).length === 0;
    });
    expect(await shown(), 'the suspension is not bound to the process').toEqual([]);
  });
});

describe('a client of the service address', () => {
  test.each([
    ['udp', V4],
    ['udp', V6],
    ['tcp', V4],
    ['tcp', V6],
  ])('over %s to %s loses no answer while ha-suspend drains', async (transport, address) => {
    const stop = path.join(site.folder, 'stop');
    const stream = path.join(ROOT, 'test/support/query-stream.mjs');
    const script = `while [ ! -e ${stop} ]; do sleep 0.05; done | exec ${process.execPath} ${stream} ${transport} ${address} 5`;
    const client = await site.namespace.spawn('sh', ['-c', script]);
    await until('the first answer', () => client.output.includes('ready'));
    const child = await startSuspend('dns-probe', '--drain', '20s');
    await until('the withdrawal', async () => (await shown()).length === 0);
    await sleep(700);
    writeFileSync(stop, '');
    const { stdout } = await client.finished;
    expect(await site.drained(), 'the client ended before the drain did').toContain(address);
    const result = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as {
      asked: number;
      lostAtMs: readonly number[];
    };
    expect(result.lostAtMs).toEqual([]);
    expect(result.asked).toBeGreaterThan(50);
    child.signal('SIGTERM'); // cuts the drain short
    expect((await child.finished).exitCode).toBe(0);
    expect(await site.drained()).toEqual([]);
  });
});

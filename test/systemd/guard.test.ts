import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { BootedSystemd, JournalEntry } from '../support/booted-systemd.ts';
import { ADDRESSES, createDnsMachine, untilAdvertised } from '../support/dns-machine.ts';
import { until } from '../support/until.ts';

// A whole machine boots here, maybe beside other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const TIMER = 'dns-probe@recursive.timer';
const PASS = 'dns-probe@recursive.service';
const GUARD = 'anycast-ha-guard@recursive.service';
const UNBOUND_DROP_IN = '/etc/systemd/system/unbound.service.d/anycast-ha-recursive.conf';
const GUARD_DROP_IN = `/etc/systemd/system/${GUARD}.d/units.conf`;

let machine: BootedSystemd;

beforeAll(async () => {
  machine = await createDnsMachine();
  machine.configure(
    'recursive',
    'address = ["192.0.2.1", "2001:db8::1"]\ndrain = "1s"\ntimeout = "2s"\n',
  );
  await machine.boot();
  await machine.must('systemctl', 'enable', '--now', 'unbound.service', TIMER);
  await untilAdvertised(machine, ADDRESSES);
});

afterAll(async () => {
  await machine.dispose();
});

interface Status {
  readonly health: string;
  readonly successes: number;
  readonly last_verdict: string;
  readonly suspensions: readonly { readonly holder: string; readonly reason: string }[];
  readonly inconsistent: readonly string[];
}

async function status(instance = 'recursive'): Promise<Status> {
  const { stdout } = await machine.run('ha-status', '--json', instance);
  return JSON.parse(stdout) as Status;
}

/** What the executables said since then, oldest first. */
async function said(sinceMs: number): Promise<readonly string[]> {
  const journal = await machine.journal(`--since=@${(sinceMs / 1000).toFixed(3)}`);
  return journal
    .filter(({ SYSLOG_IDENTIFIER }) => /^(?:dns-probe|ha-)/.test(SYSLOG_IDENTIFIER ?? ''))
    .map(({ MESSAGE }) => MESSAGE);
}

async function untilSaid(sinceMs: number, message: RegExp): Promise<void> {
  await until(String(message), async () => {
    const lines = await said(sinceMs);
    if (!lines.some((line) => message.test(line))) throw new Error(lines.join('\n'));
    return true;
  });
}

/** No pass is made from here on, and none is under way. */
async function stopPasses(): Promise<void> {
  await machine.must('systemctl', 'stop', TIMER);
  await until('no pass', async () =>
    ['inactive', 'failed'].includes(await machine.property(PASS, 'ActiveState')),
  );
}

/** As many a daemon's own unit has it; the one of these tests stays dead otherwise. */
function restartAlways(): void {
  machine.write(
    '/etc/systemd/system/unbound.service.d/test.conf',
    '[Service]\nRestart=always\nRestartSec=100ms\n[Unit]\nStartLimitIntervalSec=0\n',
  );
}

function indexOf(journal: readonly JournalEntry[], message: RegExp): number {
  return journal.findIndex(({ MESSAGE }) => message.test(MESSAGE));
}

describe('ha-guard', () => {
  test('shows what it would write, and writes nothing', async () => {
    const { exitCode, stdout } = await machine.run(
      ...['ha-guard', 'recursive', '--unit', 'unbound', '--dry-run'],
    );
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`would write ${UNBOUND_DROP_IN}:\n`);
    expect(stdout).toContain(`would write ${GUARD_DROP_IN}:\n`);
    expect((await machine.run('ls', UNBOUND_DROP_IN)).exitCode).not.toBe(0);
  });

  test('ties an instance to a unit that runs, says what it wrote, and disturbs nothing', async () => {
    const monitor = await machine.namespace.spawn('ip', ['monitor', 'address'], {
      timeoutMs: 120_000,
    });
    const tied = await machine.run('ha-guard', 'recursive', '--unit', 'unbound');
    expect(tied).toMatchObject({ exitCode: 0, stdout: '' });
    expect(tied.stderr.split('\n')).toEqual([
      `ha-guard: wrote ${UNBOUND_DROP_IN}`,
      `ha-guard: wrote ${GUARD_DROP_IN}`,
      'ha-guard: recursive: unbound.service takes it along',
      '',
    ]);
    expect(await machine.property(GUARD, 'ActiveState')).toBe('active');
    const again = await machine.run('ha-guard', 'recursive', '--unit', 'unbound.service');
    expect(again).toMatchObject({ exitCode: 0, stdout: '' });
    expect(again.stderr).toBe('ha-guard: recursive: unbound.service takes it along\n');
    expect(await machine.run('ha-guard', '--list')).toMatchObject({
      exitCode: 0,
      stdout: 'recursive  unbound.service\n',
      stderr: '',
    });
    monitor.signal('SIGTERM');
    expect((await monitor.finished).stdout).not.toContain('Deleted');
  });

  test.each([
    [['recursive', '--unit', 'unbund'], 69, /systemd knows no unbund\.service \(not-found\)/],
    [['recursiv', '--unit', 'unbound'], 66, /no instance 'recursiv'/],
    [['recursive'], 64, /--unit: name the unit/],
    [['--list', 'recursive'], 64, /--list: cannot be combined/],
    [['recursive', '--unit', 'unbound.socket'], 64, /'unbound\.socket' is no unit of a service/],
  ])('refuses %j', async (args, exitStatus, message) => {
    const refused = await machine.run('ha-guard', ...args);
    expect(refused).toMatchObject({ exitCode: exitStatus, stdout: '' });
    expect(refused.stderr).toMatch(message);
  });
});

describe('a service that stops as planned', () => {
  test('is taken out before, and comes back when a probe saw it up', async () => {
    const startMs = Date.now();
    await machine.must('systemctl', 'stop', 'unbound');
    expect(await machine.namespace.serviceAddresses()).toEqual([]);
    expect(await status()).toMatchObject({
      suspensions: [{ holder: 'guard', reason: 'unbound.service stops' }],
    });
    const journal = await machine.journal(`--since=@${(startMs / 1000).toFixed(3)}`);
    const withdrawn = indexOf(journal, /ha-suspend: recursive: suspended; withdrew 192\.0\.2\.1/);
    expect(withdrawn).toBeGreaterThan(-1);
    expect(withdrawn).toBeLessThan(indexOf(journal, /^Stopping unbound\.service/));

    const againMs = Date.now();
    await machine.must('systemctl', 'start', 'unbound');
    await untilAdvertised(machine, ADDRESSES);
    expect((await status()).suspensions).toEqual([]);
    await untilSaid(againMs, /: up: advertising/);
  });

  test('does so for a restart, and nothing of it counts as a flap', async () => {
    const startMs = Date.now();
    await machine.must('systemctl', 'restart', 'unbound');
    await untilAdvertised(machine, ADDRESSES);
    await untilSaid(startMs, /: up: advertising/);
    const lines = (await said(startMs)).join('\n');
    expect(lines).toMatch(/suspended; withdrew 192\.0\.2\.1/);
    expect(lines).not.toMatch(/is gone from the kernel|unbound\.service ended/);
    const state = await machine.must('cat', '/run/anycast-ha/recursive.json');
    expect(state).toMatch(/"flaps":0/);
  });
});

describe('a service that dies', () => {
  test('is withdrawn by systemd, without a pass', async () => {
    await stopPasses();
    await machine.must('systemctl', 'kill', '-s', 'KILL', 'unbound');
    await untilAdvertised(machine, []);
    expect(await machine.must('ip', '-6', 'route', 'show', '2001:db8::1')).toBe('');
    expect(await machine.must('readlink', '/run/anycast-ha/recursive.ended')).toBe(
      'unbound.service signal KILL\n',
    );
    const { stdout } = await machine.run('ha-status', 'recursive');
    expect(stdout).toMatch(/^ {2}unbound\.service ended \(SIGKILL\), \S+ ago$/m);
    const startMs = Date.now();
    await machine.must('systemctl', 'start', TIMER);
    await untilSaid(
      startMs,
      /recursive: down: .* is gone from the kernel: unbound\.service ended \(SIGKILL\): withdrawn by systemd$/,
    );
    expect((await status()).suspensions).toEqual([]);
    expect(await machine.must('cat', '/run/anycast-ha/recursive.json')).toMatch(/"flaps":1/);
    await machine.must('systemctl', 'start', 'unbound');
    await untilAdvertised(machine, ADDRESSES);
  });

  test('is started again by systemd, and comes back without anybody', async () => {
    restartAlways();
    await machine.must('systemctl', 'daemon-reload');
    const startMs = Date.now();
    await machine.must('systemctl', 'kill', '-s', 'KILL', 'unbound');
    await untilSaid(startMs, /unbound\.service ended \(SIGKILL\): withdrawn by systemd/);
    await untilAdvertised(machine, ADDRESSES);
    expect((await status()).suspensions).toEqual([]);
    expect(await machine.property(GUARD, 'ActiveState')).toBe('active');
  });

  test('over and over meets the hold-down, however well it answers in between', async () => {
    const settings = 'address = ["192.0.2.1", "2001:db8::1"]\ndrain = "1s"\n';
    machine.configure('recursive', `${settings}hold-down = "1h"\nhold-down-max = "1h"\n`);
    await machine.must('systemctl', 'kill', '-s', 'KILL', 'unbound');
    await untilAdvertised(machine, []);
    await until('two successes', async () => {
      const { health, successes } = await status();
      return health === 'down' && successes === 2;
    });
    expect((await status()).suspensions).toEqual([]);
    expect(await machine.namespace.serviceAddresses()).toEqual([]);
    machine.configure('recursive', settings);
    await untilAdvertised(machine, ADDRESSES);
  });
});

describe('ties', () => {
  /** An instance beside the other one, and a unit that has nothing to do with what it asks. */
  async function addUnit(unit: string, text: string): Promise<void> {
    machine.write(`/etc/systemd/system/${unit}`, text);
    await machine.must('systemctl', 'daemon-reload');
  }

  test.each([
    ['simple.service', 'simple.service', '[Service]\nExecStart=/bin/sleep infinity\n'],
    [
      'forking.service',
      'forking.service',
      '[Service]\nType=forking\nPIDFile=/run/forking.pid\nExecStart=/bin/sh -c "sleep infinity & echo $$! >/run/forking.pid"\n',
    ],
    ['template@1.service', 'template@.service', '[Service]\nExecStart=/bin/sleep infinity\n'],
    [
      'user.service',
      'user.service',
      '[Service]\nUser=nobody\nProtectSystem=strict\nPrivateTmp=yes\nNoNewPrivileges=yes\nCapabilityBoundingSet=\nExecStart=/bin/sleep infinity\n',
    ],
  ])('are the same for %s', async (unit, name, text) => {
    machine.configure('other', 'address = "192.0.2.8"\nrise = 1\n');
    await addUnit(name, text);
    await machine.must('systemctl', 'start', unit);
    await machine.must('ha-guard', 'other', '--unit', unit);
    await machine.must('systemctl', 'start', 'dns-probe@other.service');
    await untilAdvertised(machine, [...ADDRESSES, '192.0.2.8/32']);
    // Nothing runs passes of this one.
    await machine.must('systemctl', 'kill', '-s', 'KILL', unit);
    await untilAdvertised(machine, ADDRESSES);
    await machine.must('systemctl', 'start', unit);
    await machine.must('systemctl', 'start', 'dns-probe@other.service');
    await untilAdvertised(machine, [...ADDRESSES, '192.0.2.8/32']);
    await machine.must('systemctl', 'stop', unit);
    expect(await machine.namespace.serviceAddresses()).toEqual(ADDRESSES);
    expect((await status('other')).suspensions).toMatchObject([{ holder: 'guard' }]);
    await machine.must('ha-guard', '--remove', 'other');
    expect((await status('other')).suspensions).toEqual([]);
    expect((await machine.run('ls', `/etc/systemd/system/${unit}.d`)).exitCode).not.toBe(0);
  });

  test('of several instances to a unit, and of an instance to several units', async () => {
    await machine.must('systemctl', 'start', 'simple.service');
    await machine.must('ha-guard', 'other', '--unit', 'unbound', '--unit', 'simple');
    expect(await machine.must('ha-guard', '--list')).toBe(
      'other      simple.service\nother      unbound.service\nrecursive  unbound.service\n',
    );
    await machine.must('systemctl', 'start', 'dns-probe@other.service');
    await untilAdvertised(machine, [...ADDRESSES, '192.0.2.8/32']);
    await machine.must('systemctl', 'stop', 'simple.service');
    expect(await machine.namespace.serviceAddresses()).toEqual(ADDRESSES);
    await machine.must('systemctl', 'start', 'simple.service', 'dns-probe@other.service');
    await untilAdvertised(machine, [...ADDRESSES, '192.0.2.8/32']);
    await machine.must('systemctl', 'kill', '-s', 'KILL', 'unbound');
    await untilAdvertised(machine, []);
    await untilAdvertised(machine, ADDRESSES); // that of the other one has no timer
    await machine.must('ha-guard', '--remove', 'other', '--unit', 'unbound');
    expect(await machine.must('ha-guard', '--list')).toBe(
      'other      simple.service\nrecursive  unbound.service\n',
    );
  });

  test('to a unit that is no more are told', async () => {
    await machine.must('systemctl', 'stop', 'simple.service');
    await machine.must('rm', '/etc/systemd/system/simple.service');
    await machine.must('systemctl', 'daemon-reload');
    const told =
      'systemd knows no simple.service (not-found): ha-guard --remove other --unit simple.service';
    expect(await machine.run('ha-guard', '--list')).toMatchObject({
      exitCode: 1,
      stdout: `other      simple.service\n  ! ${told}\nrecursive  unbound.service\n`,
    });
    expect((await status('other')).inconsistent).toContain(told);
    await machine.must('ha-guard', '--remove', 'other', '--unit', 'simple.service');
    expect((await machine.run('ha-guard', '--list')).exitCode).toBe(0);
  });

  test('that another drop-in undoes are told, too', async () => {
    const file = '/etc/systemd/system/unbound.service.d/zzz.conf';
    machine.write(file, '[Service]\nExecStopPost=\n');
    await machine.must('systemctl', 'daemon-reload');
    const listed = await machine.run('ha-guard', '--list');
    expect(listed.exitCode).toBe(1);
    expect(listed.stdout).toContain('! another drop-in undoes that of unbound.service');
    expect((await machine.run('ha-guard', 'recursive', '--unit', 'unbound')).exitCode).toBe(1);
    await machine.must('rm', file);
    await machine.must('systemctl', 'daemon-reload');
  });
});

describe('a service that has started and is not ready', () => {
  test('stays out until a probe sees it work', async () => {
    // Its port answers nothing yet, as of one that loads its zones.
    machine.write(
      '/etc/systemd/system/unbound.service.d/unready.conf',
      '[Service]\nType=simple\nExecStart=\nExecStart=/bin/sleep infinity\n',
    );
    await machine.must('systemctl', 'daemon-reload');
    await machine.must('systemctl', 'restart', 'unbound');
    expect(await machine.property('unbound.service', 'ActiveState')).toBe('active');
    await until('a pass that sees it down', async () => {
      const { health, last_verdict: verdict, suspensions } = await status();
      return health === 'down' && verdict === 'down' && suspensions.length === 0;
    });
    expect(await machine.namespace.serviceAddresses()).toEqual([]);
    await machine.must('rm', '/etc/systemd/system/unbound.service.d/unready.conf');
    await machine.must('systemctl', 'daemon-reload');
    await machine.must('systemctl', 'restart', 'unbound');
    await untilAdvertised(machine, ADDRESSES);
  });
});

describe('a shutdown', () => {
  test('withdraws once, and the boot leaves no suspension', async () => {
    const startMs = Date.now();
    await machine.reboot();
    await untilAdvertised(machine, ADDRESSES);
    const lines = await said(startMs);
    expect(lines.filter((line) => line.includes('withdrew'))).toHaveLength(1);
    const journal = await machine.journal(`--since=@${(startMs / 1000).toFixed(3)}`);
    const withdrawn = indexOf(journal, /ha-suspend: recursive: suspended; withdrew/);
    expect(withdrawn).toBeGreaterThan(-1);
    expect(withdrawn).toBeLessThan(indexOf(journal, /^Stopping unbound\.service/));
    expect((await status()).suspensions).toEqual([]);
    expect(await machine.property(GUARD, 'ActiveState')).toBe('active');
  });
});

describe('an instance that is untied', () => {
  test('stays advertised, and the service stops without it', async () => {
    const monitor = await machine.namespace.spawn('ip', ['monitor', 'address'], {
      timeoutMs: 120_000,
    });
    const removed = await machine.run('ha-guard', '--remove', 'recursive');
    expect(removed).toMatchObject({ exitCode: 0, stdout: '' });
    expect(removed.stderr).toBe(
      `ha-guard: removed ${UNBOUND_DROP_IN}\nha-guard: removed ${GUARD_DROP_IN}\n`,
    );
    monitor.signal('SIGTERM');
    expect((await monitor.finished).stdout).not.toContain('Deleted');
    expect(await machine.property(GUARD, 'ActiveState')).toBe('inactive');
    await stopPasses();
    await machine.must('systemctl', 'stop', 'unbound');
    expect(await machine.namespace.serviceAddresses()).toEqual(ADDRESSES);
    expect(await machine.must('ha-guard', '--list')).toBe('no unit takes an instance along\n');
    const again = await machine.run('ha-guard', '--remove', 'recursive');
    expect(again).toMatchObject({ exitCode: 0, stdout: '' });
    expect(again.stderr).toBe('ha-guard: no unit takes that along: nothing to remove\n');
  });
});

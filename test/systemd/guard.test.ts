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
});

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { BootedSystemd, JournalEntry } from '../support/booted-systemd.ts';
import type { Child } from '../support/child.ts';
import { ADDRESSES, createDnsMachine, untilAdvertised } from '../support/dns-machine.ts';
import { until } from '../support/until.ts';

// A whole machine boots here, maybe beside other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const TIMER = 'dns-probe@recursive.timer';
const SERVICE = 'dns-probe@recursive.service';

let machine: BootedSystemd;

beforeAll(async () => {
  machine = await createDnsMachine();
  await machine.boot();
  await machine.must('systemctl', 'enable', '--now', 'unbound.service', TIMER);
  await untilAdvertised(machine, ADDRESSES);
});

afterAll(async () => {
  await machine.dispose();
});

/** When the journal has a message first, in milliseconds since the epoch. */
function timeOf(journal: readonly JournalEntry[], message: RegExp): number {
  const entry = journal.find(({ MESSAGE }) => message.test(MESSAGE));
  if (entry === undefined) throw new Error(`the journal has no ${String(message)}`);
  return Number(entry.__REALTIME_TIMESTAMP) / 1000;
}

/** When `ip -ts monitor` said this first, in milliseconds since the epoch. */
function timeOfChange(monitor: Child, change: RegExp): number {
  const lines = monitor.output.split('\n');
  const line = lines.find((text) => change.test(text));
  const stamp = /^\[([-\dT:.]+)\]/.exec(line ?? '')?.[1];
  if (stamp === undefined) throw new Error(`no ${String(change)} in ${monitor.output}`);
  return Date.parse(stamp);
}

/** Watches addresses and routes of the machine, also while it is down. */
function watch(): Promise<Child> {
  const args = ['-ts', '-o', 'monitor', 'address'];
  return machine.namespace.spawn('ip', args, {
    timeoutMs: 120_000,
    env: { ...process.env, TZ: 'UTC' },
  });
}

describe('a reboot', () => {
  test('withdraws and drains while the service runs, and boots without a suspension', async () => {
    const startMs = Date.now();
    const monitor = await watch();
    await machine.reboot();
    await untilAdvertised(machine, ADDRESSES);
    monitor.signal('SIGTERM');
    await monitor.finished;

    const journal = await machine.journal(`--since=@${(startMs / 1000).toFixed(3)}`);
    const stoppedMs = timeOf(journal, /^Stopping unbound\.service/);
    expect(timeOfChange(monitor, /Deleted.* 192\.0\.2\.1\/32/)).toBeLessThan(stoppedMs - 3000);
    expect(timeOfChange(monitor, /Deleted.* 2001:db8::1\/128/)).toBeLessThan(stoppedMs - 3000);
    const startedMs = timeOf(
      journal.filter((entry) => Number(entry.__REALTIME_TIMESTAMP) / 1000 > stoppedMs),
      /^Started unbound\.service/,
    );
    const onLo = monitor.output.split('\n').filter((line) => / lo +inet 192\.0\.2\.1/.test(line));
    expect(onLo.at(-1)).not.toContain('Deleted');
    const added = /(?<!Deleted )\d+: lo +inet 192\.0\.2\.1\/32/;
    expect(timeOfChange(monitor, added)).toBeGreaterThan(startedMs);
  });

  test('a service that starts slowly is no error, and not advertised before it works', async () => {
    machine.write(
      '/etc/systemd/system/unbound.service.d/slow.conf',
      '[Service]\nExecStartPre=/bin/sleep 6\n',
    );
    await machine.shutDown();
    const startMs = Date.now();
    await machine.boot();
    await until('the first passes', async () => {
      await machine.must('test', '-e', '/run/anycast-ha/recursive.json');
      return true;
    });
    expect(await machine.property('unbound.service', 'ActiveState')).not.toBe('inactive');
    expect(await machine.namespace.serviceAddresses()).toEqual([]);
    await untilAdvertised(machine, ADDRESSES);
    const journal = await machine.ownJournal(startMs);
    expect(journal.filter(({ PRIORITY }) => Number(PRIORITY) < 5)).toEqual([]);
    expect(await machine.property(SERVICE, 'Result')).toBe('success');
  });

  test('a person cannot stop the unit of the shutdown by mistake', async () => {
    const { exitCode } = await machine.run('systemctl', 'stop', 'anycast-ha-shutdown.service');
    expect(exitCode).not.toBe(0);
    expect(await machine.namespace.serviceAddresses()).toEqual(ADDRESSES);
  });

  test('a suspension across reboots outlives one, and one without ends with it', async () => {
    const startMs = Date.now();
    const why = ['--reason', 'new disk'];
    await machine.must('ha-suspend', 'recursive', '--across-reboot', '--drain', '0', ...why);
    // Who looks into the log of a node that is out finds a name.
    const [line, ...more] = (await machine.ownJournal(startMs)).filter(
      ({ SYSLOG_IDENTIFIER }) => SYSLOG_IDENTIFIER === 'ha-suspend',
    );
    expect(more).toEqual([]);
    expect(line?.MESSAGE).toMatch(
      /^recursive: suspended; withdrew .*: new disk, as 'manual' \(\S+, uid \d+\)$/,
    );
    await machine.reboot();
    await until('passes see the service work', async () => {
      const { stdout } = await machine.run('ha-status', '--json');
      return (JSON.parse(stdout) as { health?: string }).health === 'up';
    });
    expect(await machine.namespace.serviceAddresses()).toEqual([]);
    await machine.must('ha-resume', 'recursive', '--wait', '20s');
    expect(await machine.namespace.serviceAddresses()).toEqual(ADDRESSES);
  });
});

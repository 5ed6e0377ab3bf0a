import { readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BootedSystemd } from '../support/booted-systemd.ts';
import { createDnsMachine } from '../support/dns-machine.ts';
import { ROOT } from '../support/executable.ts';
import { until } from '../support/until.ts';

/** A restart of the resolver: notes who was out meanwhile, and ends as the crontab wants. */
const SERVICE = `#!/bin/sh
ip -o address show dev lo >"/root/restart-$INSTANCE"
echo restarting
[ "$RESTART" = 0 ] || echo 'restart failed' >&2
exit "$RESTART"
`;

/** Fetches blacklists: ends as the crontab wants. */
const BLACKLIST = `#!/bin/sh
echo fetched >&1
exit "$BLACKLIST"
`;

/** Keeps the mails, by recipient. */
const SENDMAIL = `#!/bin/sh
mail=$(mktemp)
cat >"$mail"
to=$(sed -n 's/^To: //p' "$mail" | head -n 1)
cat "$mail" >>"/root/mail-$to"
`;

interface Job {
  /** The address's last part; the job's instance and recipient have its name. */
  readonly host: number;
  /** The line of the example. */
  readonly line: string;
  readonly blacklist?: number;
  readonly restart?: number;
  /** Not advertised before. */
  readonly fresh?: true;
}

/** The lines of an example that are a job, also those that are commented out. */
function jobsOf(example: string): readonly string[] {
  const text = readFileSync(path.join(ROOT, 'scripts/cron', example), 'utf8');
  return text
    .split('\n')
    .filter((line) => /^#?[\d*]\S* \S+ \* \* \* root /.test(line))
    .map((line) => line.replace(/^#?\S+ \S+ /, '* * '));
}

const [everyMinute = ''] = jobsOf('every-minute');
const [often = ''] = jobsOf('every-ten-seconds');
const [plain = '', separate = '', cronic = ''] = jobsOf('maintenance');

const JOBS: Readonly<Record<string, Job>> = {
  healthy: { host: 11, line: everyMinute },
  changed: { host: 12, line: everyMinute, fresh: true },
  often: { host: 13, line: often },
  plain: { host: 21, line: plain, restart: 0 },
  'plain-nothing-new': { host: 22, line: plain, blacklist: 1 },
  'plain-failing': { host: 23, line: plain, restart: 4 },
  'plain-kept-out': {
    host: 24,
    line: plain.replace('--quiet recursive', '--quiet --keep-on-failure recursive'),
    restart: 4,
  },
  separate: { host: 31, line: separate, restart: 0 },
  'separate-failing': { host: 32, line: separate, restart: 4 },
  cronic: { host: 41, line: cronic, restart: 0 },
  'cronic-nothing-new': { host: 42, line: cronic, blacklist: 1 },
  'cronic-no-list': { host: 43, line: cronic, blacklist: 5 },
  'cronic-failing': { host: 44, line: cronic, restart: 4 },
};

/** The jobs that come as far as the restart. */
const RESTARTING = Object.entries(JOBS)
  .filter(([, { restart }]) => restart !== undefined)
  .map(([name]) => name);

let machine: BootedSystemd;
const passesOften = new Set<number>();

/** A crontab for one job, with the example's PATH and a recipient of its own. */
function crontab(name: string, { line, blacklist = 0, restart = 0 }: Job): string {
  return [
    'PATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin',
    `MAILTO=${name}`,
    `INSTANCE=${name}`,
    `BLACKLIST=${blacklist}`,
    `RESTART=${restart}`,
    `${line.replaceAll('recursive', name)}\n`,
  ].join('\n');
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(machine.root.path(file), 'utf8');
  } catch {
    return undefined;
  }
}

function mailTo(name: string): string | undefined {
  return readIfThere(`/root/mail-${name}`);
}

async function suspended(name: string): Promise<boolean> {
  const { stdout } = await machine.run('ha-status', '--json', name);
  return (JSON.parse(stdout) as { suspensions: readonly unknown[] }).suspensions.length > 0;
}

beforeAll(async () => {
  machine = await createDnsMachine();
  machine.write('/usr/local/sbin/service', SERVICE, 0o755);
  machine.write('/usr/local/sbin/blacklist2dns', BLACKLIST, 0o755);
  machine.write('/usr/sbin/sendmail', SENDMAIL, 0o755);
  for (const file of readdirSync(machine.root.path('/etc/cron.d'))) {
    rmSync(machine.root.path(`/etc/cron.d/${file}`));
  }
  machine.write('/etc/crontab', '');
  await machine.boot();
  await machine.must('systemctl', 'start', 'unbound');

  const folder = '/etc/anycast-ha/';
  rmSync(machine.root.path(folder), { recursive: true });
  const advertise = async (): Promise<void> => {
    await machine.must('dns-probe', '--quiet', '--config', folder);
  };
  for (const [name, { host, fresh }] of Object.entries(JOBS)) {
    if (fresh === true) continue;
    machine.configure(name, `address = "192.0.2.${host}"\nrise = 1\n`);
  }
  await advertise();
  for (const [name, { host, fresh }] of Object.entries(JOBS)) {
    if (fresh === true) machine.configure(name, `address = "192.0.2.${host}"\nrise = 1\n`);
  }

  for (const [name, job] of Object.entries(JOBS)) {
    machine.write(`/etc/cron.d/${name}`, crontab(name, job));
  }
  // ha-resume --wait sees passes only where something makes them.
  await machine.must('systemctl', 'start', 'dns-probe@separate.timer');
  await machine.must('systemctl', 'start', 'cron');
  // Cron waits for the full minute. Each job is to run once.
  await until(
    'the full minute',
    () => RESTARTING.some((name) => readIfThere(`/root/restart-${name}`) !== undefined),
    { timeoutMs: 120_000, everyMs: 500 },
  );
  for (const name of Object.keys(JOBS)) rmSync(machine.root.path(`/etc/cron.d/${name}`));
  const running = async (): Promise<boolean> => {
    const { stdout } = await machine.run('ha-status', '--json', 'often');
    const { last_pass_age_seconds: age } = JSON.parse(stdout) as { last_pass_age_seconds: number };
    passesOften.add(Math.round((performance.now() / 1000 - age) / 4));
    return (
      (await machine.run('pgrep', '-P', await machine.property('cron', 'MainPID'))).exitCode === 0
    );
  };
  await until('the jobs ended', async () => !(await running()), {
    timeoutMs: 150_000,
    everyMs: 1000,
  });
}, 400_000);

afterAll(async () => {
  await machine.dispose();
});

test('a pass that changes nothing sends no mail, and one that changes something sends one', () => {
  expect(mailTo('healthy')).toBeUndefined();
  expect(mailTo('changed')).toMatch(/dns-probe: changed: up: advertising 192\.0\.2\.12\/32/);
});

test('a loop makes several passes a minute, and sends no mail', () => {
  expect(mailTo('often')).toBeUndefined();
  expect(passesOften.size).toBeGreaterThan(2);
});

test('the node is out while the job restarts the resolver, in every form', () => {
  for (const name of RESTARTING) {
    const host = JOBS[name]?.host ?? 0;
    const shown = readIfThere(`/root/restart-${name}`);
    expect(shown, name).toBeDefined();
    expect(shown, name).not.toContain(`192.0.2.${host}/32`);
    expect(shown, name).toContain('192.0.2.11/32');
  }
});

test('a job that goes well, or finds nothing new, sends no mail', async () => {
  for (const name of ['plain', 'separate', 'cronic', 'cronic-nothing-new']) {
    expect(mailTo(name), name).toBeUndefined();
    expect(await suspended(name), name).toBe(false);
  }
  expect(readIfThere('/root/restart-plain-nothing-new')).toBeUndefined();
  expect(readIfThere('/root/restart-cronic-nothing-new')).toBeUndefined();
});

test('a failing restart brings the node back, and the probe decides', async () => {
  expect(mailTo('plain-failing')).toContain('restart failed');
  expect(await suspended('plain-failing')).toBe(false);
  await machine.must('dns-probe', '--config', '/etc/anycast-ha/plain-failing.toml');
  expect(await machine.namespace.serviceAddresses()).toContain('192.0.2.23/32');
});

test('with --keep-on-failure, or suspended apart, a failing restart leaves the node out', async () => {
  for (const name of ['plain-kept-out', 'separate-failing']) {
    expect(mailTo(name), name).toContain('restart failed');
    expect(await suspended(name), name).toBe(true);
    await machine.must('dns-probe', '--quiet', '--config', `/etc/anycast-ha/${name}.toml`);
    const addresses = await machine.namespace.serviceAddresses();
    expect(addresses).not.toContain(`192.0.2.${JOBS[name]?.host ?? 0}/32`);
  }
});

test('cronic reports a job that fails, with its status and what it said', async () => {
  expect(mailTo('cronic-no-list')).toMatch(/RESULT CODE: 5\n[^]*fetched/);
  expect(readIfThere('/root/restart-cronic-no-list')).toBeUndefined();
  expect(mailTo('cronic-failing')).toMatch(/RESULT CODE: 4\n[^]*ERROR OUTPUT:\n[^]*restart failed/);
  expect(await suspended('cronic-failing')).toBe(false);
});

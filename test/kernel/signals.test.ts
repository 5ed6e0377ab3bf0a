import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Child } from '../support/child.ts';
import { DnsSite } from '../support/dns-site.ts';
import { until } from '../support/until.ts';

const V4 = '192.0.2.1';
const V6 = '2001:db8::1';
const BOTH = ['-a', V4, '-a', V6];
const PREFIXES = [`${V4}/32`, `${V6}/128`];

let site: DnsSite;
beforeEach(async () => {
  site = await DnsSite.create();
});
afterEach(async () => {
  await site.dispose();
});

/** A pass that asks a server which does not answer, as far as the question. */
async function startHungPass(args: readonly string[]): Promise<Child> {
  site.server.freeze();
  const pass = await site.startProbe([...args, '--attempts', '1', '--timeout', '15s']);
  await until('the lock', () =>
    lstatSync(path.join(site.stateDir, 'dns-probe.lock')).isSymbolicLink(),
  );
  return pass;
}

function stateOf(pid: number): string {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return text.slice(text.lastIndexOf(')') + 2, text.lastIndexOf(')') + 3);
}

function suspensions(): readonly string[] {
  try {
    return readdirSync(path.join(site.stateDir, 'suspensions'));
  } catch {
    return [];
  }
}

describe('SIGTERM during a pass', () => {
  test('moves the addresses, forgets the counters and does not wait', async () => {
    await site.advertise(BOTH);
    const pass = await startHungPass([...BOTH, '--drain', '30s']);
    pass.signal('SIGTERM');
    expect(await pass.finished).toMatchObject({ exitCode: 0, stdout: '' });
    expect(await site.namespace.serviceAddresses()).toEqual([]);
    expect(Object.keys(await site.moved()).sort()).toEqual([V4, V6]);
    expect(await site.drained()).toEqual([]);
    expect(site.stateFiles()).toEqual(['dns-probe.json']);
    expect(site.state()).toMatchObject({
      advertising: false,
      drain: { addresses: [V4, V6] },
      health: { status: 'down', successes: 0, failures: 0 },
    });
    expect((await pass.finished).stderr).toBe(
      `dns-probe: down: withdrew ${V4}/32 dev lo, ${V6}/128 dev lo: terminated\n`,
    );
    site.server.thaw();
    await site.probe(BOTH);
    expect(await site.namespace.serviceAddresses()).toEqual([]);
    await site.probe(BOTH);
    expect(await site.namespace.serviceAddresses()).toEqual(PREFIXES);
    expect(await site.moved()).toEqual({});
    expect(site.state().drain).toBeNull();
  });

  test('given twice ends at once a drain that nobody else would end', async () => {
    await site.advertise(BOTH);
    const pass = await startHungPass([...BOTH, '--drain', '30s', '--drain-interface', '']);
    pass.signal('SIGTERM');
    await until('the drain', async () => (await site.drained()).length === 2);
    pass.signal('SIGTERM');
    expect(await pass.finished).toMatchObject({ exitCode: 0 });
    expect(await site.drained()).toEqual([]);
    expect(await site.namespace.serviceAddresses()).toEqual([]);
  });

  test('of a service that is down just ends, without drain', async () => {
    const pass = await startHungPass(BOTH);
    pass.signal('SIGTERM');
    expect(await pass.finished).toMatchObject({ exitCode: 0, stdout: '' });
    expect(site.state().drain).toBeNull();
  });

  test('that is in its program for changes withdraws all the same', async () => {
    const hook = path.join(site.folder, 'hook');
    writeFileSync(hook, '#!/bin/sh\necho "$@" >>"$0.log"\nexec sleep 3\n', { mode: 0o755 });
    const pass = await site.startProbe([
      ...BOTH,
      '--rise',
      '1',
      '--drain',
      '0',
      '--on-change',
      hook,
    ]);
    await until('the program', () => readFileSync(`${hook}.log`, 'utf8') !== '');
    expect(await site.namespace.serviceAddresses()).toEqual(PREFIXES);
    pass.signal('SIGTERM');
    expect(await pass.finished).toMatchObject({ exitCode: 0 });
    expect(await site.namespace.serviceAddresses()).toEqual([]);
    expect(readFileSync(`${hook}.log`, 'utf8')).toBe(
      'dns-probe up service up\ndns-probe down withdrawn\n',
    );
  });

  test('of several instances withdraws also those that were through', async () => {
    const folder = path.join(site.folder, 'conf.d');
    mkdirSync(folder);
    writeFileSync(path.join(folder, 'good.toml'), `address = "${V4}"\nrise = 1\n`);
    writeFileSync(
      path.join(folder, 'hung.toml'),
      `address = "${V6}"\nserver = "127.0.0.2"\nattempts = 1\ntimeout = "15s"\n`,
    );
    // Nothing listens there, and a firewall swallows the refusal: the question hangs.
    const rules = await site.namespace.exec('nft', ['-f', '-'], {
      input:
        'add table inet t\nadd chain inet t i { type filter hook input priority 0; }\n' +
        'add rule inet t i ip daddr 127.0.0.2 drop\n',
    });
    expect(rules).toMatchObject({ exitCode: 0, stderr: '' });
    const pass = await site.startProbe(['--config', folder, '--drain', '0']);
    await until('the good one', async () => (await site.namespace.serviceAddresses()).length === 1);
    await until('its state', () => site.state('good').advertising);
    pass.signal('SIGTERM');
    expect(await pass.finished).toMatchObject({ exitCode: 0 });
    expect(await site.namespace.serviceAddresses()).toEqual([]);
    expect(site.state('good')).toMatchObject({ advertising: false, health: { status: 'down' } });
  });
});

describe.each([
  ['SIGINT', 130],
  ['SIGHUP', 129],
] as const)('%s during a pass', (signal, status) => {
  test(`leaves everything as it is, and exits with ${status}`, async () => {
    await site.advertise(BOTH);
    const before = readFileSync(site.statePath(), 'utf8');
    const pass = await startHungPass(BOTH);
    pass.signal(signal);
    expect(await pass.finished).toEqual({ exitCode: status, signal: null, stdout: '', stderr: '' });
    expect(await site.namespace.serviceAddresses()).toEqual(PREFIXES);
    expect(readFileSync(site.statePath(), 'utf8')).toBe(before);
    expect(site.stateFiles()).toEqual(['dns-probe.json']);
  });

  test(`ends a mere check with ${status}, and no verdict is printed`, async () => {
    site.server.freeze();
    const pass = await site.startProbe(['--attempts', '1', '--timeout', '15s']);
    await until('the question', async () => {
      const { stdout } = await site.namespace.exec('ss', ['-Hnua', 'dport', '=', ':53']);
      return stdout !== '';
    });
    pass.signal(signal);
    expect(await pass.finished).toEqual({ exitCode: status, signal: null, stdout: '', stderr: '' });
  });
});

describe('SIGTSTP during a pass', () => {
  test('suspends and stops, and SIGCONT makes the pass again', async () => {
    await site.advertise(BOTH);
    const pass = await startHungPass([...BOTH, '--drain', '0']);
    pass.signal('SIGTSTP');
    await until('the stop', () => stateOf(pass.pid) === 'T');
    expect(await site.namespace.serviceAddresses()).toEqual([]);
    expect(suspensions()).toEqual(['dns-probe@signal.json']);
    expect(site.stateFiles()).toEqual(['dns-probe.json']);
    site.server.thaw();
    // Whatever other passes see meanwhile, nothing is added.
    for (let n = 0; n < 3; n++) expect((await site.probe(BOTH)).exitCode).toBe(0);
    expect(await site.namespace.serviceAddresses()).toEqual([]);
    pass.signal('SIGCONT');
    expect(await pass.finished).toMatchObject({ exitCode: 0 });
    expect(suspensions()).toEqual([]);
    expect(await site.namespace.serviceAddresses()).toEqual(PREFIXES);
  });

  test('and a termination while it stands still: it ends once it is continued', async () => {
    await site.advertise(BOTH);
    const pass = await startHungPass([...BOTH, '--drain', '0']);
    pass.signal('SIGTSTP');
    await until('the stop', () => stateOf(pass.pid) === 'T');
    pass.signal('SIGTERM');
    pass.signal('SIGCONT'); // systemd.kill(5) does just this
    expect(await pass.finished).toMatchObject({ exitCode: 0 });
    expect(suspensions()).toEqual([]);
    expect(await site.namespace.serviceAddresses()).toEqual([]);
    expect(site.state().health).toMatchObject({ status: 'down', successes: 0 });
  });

  test.each([
    ['SIGTERM', 0],
    ['SIGINT', 130],
  ] as const)('and %s during the drain leaves no suspension', async (signal, exitCode) => {
    await site.advertise(BOTH);
    const pass = await startHungPass([...BOTH, '--drain', '2s', '--drain-interface', '']);
    pass.signal('SIGTSTP');
    await until('the drain', async () => (await site.drained()).length === 2);
    pass.signal(signal);
    expect(await pass.finished).toMatchObject({ exitCode });
    expect(suspensions()).toEqual([]);
    expect(await site.drained()).toEqual([]);
    expect(await site.namespace.serviceAddresses()).toEqual([]);
  });
});

describe('SIGKILL of a pass that stands still', () => {
  test('ends its suspension with it', async () => {
    await site.advertise(BOTH);
    const pass = await startHungPass([...BOTH, '--drain', '0']);
    pass.signal('SIGTSTP');
    await until('the stop', () => stateOf(pass.pid) === 'T');
    expect(suspensions()).toEqual(['dns-probe@signal.json']);
    pass.signal('SIGKILL');
    await pass.finished;
    site.server.thaw();
    for (let n = 0; n < 2; n++) expect((await site.probe(BOTH)).exitCode).toBe(0);
    expect(await site.namespace.serviceAddresses()).toEqual(PREFIXES);
  });
});

describe('SIGKILL during a pass', () => {
  test('leaves a lock that is void, and the next pass goes on where it was', async () => {
    await site.advertise(BOTH);
    const pass = await startHungPass(BOTH);
    pass.signal('SIGKILL');
    await pass.finished;
    expect(site.stateFiles()).toContain('dns-probe.lock');
    site.server.thaw();
    expect(await site.probe(BOTH)).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });
    expect(await site.namespace.serviceAddresses()).toEqual(PREFIXES);
    expect(site.stateFiles().filter((name) => !name.startsWith('.'))).toEqual(['dns-probe.json']);
  });

  test('during a drain: the next pass, not an earlier one, ends that drain', async () => {
    await site.advertise(BOTH);
    const withdrawal = await site.startProbe([...BOTH, '--withdraw', '--drain', '8s']);
    await until('the drain', async () => (await site.drained()).length === 2);
    withdrawal.signal('SIGKILL');
    await withdrawal.finished;
    expect((await site.probe([...BOTH, '--rise', '9'])).exitCode).toBe(0);
    expect(await site.drained()).toEqual([V4, V6]);
    const { untilMs } = site.state().drain ?? { untilMs: 0 };
    await until(
      'its end',
      () => Number.parseFloat(readFileSync('/proc/uptime', 'latin1')) * 1000 > untilMs,
    );
    expect((await site.probe([...BOTH, '--rise', '9'])).exitCode).toBe(0);
    expect(await site.drained()).toEqual([]);
  });
});

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Finished } from '../support/child.ts';
import { DnsSite } from '../support/dns-site.ts';
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

/** What the kernel still gives each service address, in seconds. */
async function leases(): Promise<readonly (number | undefined)[]> {
  return (await site.namespace.addresses())
    .filter(({ address }) => address === V4 || address === V6)
    .map(({ validSeconds }) => validSeconds);
}

describe('the lease', () => {
  test('runs out in the kernel when no pass comes any more', async () => {
    await site.advertise([...BOTH, '--lease', '2s']);
    expect(await site.namespace.serviceAddresses()).toHaveLength(2);
    await until('expiry', async () => (await site.namespace.serviceAddresses()).length === 0, {
      timeoutMs: 8000,
    });
    // The kernel leaves a route behind, which would swallow the address on this node.
    expect(await site.namespace.ip(`-6 route show ${V6}`)).toContain('dev lo proto kernel');
    const { exitCode, stderr } = await site.probe([...BOTH, '--lease', '2s']);
    expect(exitCode).toBe(0);
    expect(stderr).toContain(
      `down: ${V4}/32 dev lo, ${V6}/128 dev lo is gone from the kernel: removed by hand, or its lease ran out\n`,
    );
    expect(await site.namespace.ip(`-6 route show ${V6}`)).toBe('');
  });

  test('is renewed by a good pass once half of it is spent, not before', async () => {
    const args = [...BOTH, '--lease', '10s'];
    await site.advertise(args);
    const from = site.state().leaseFromMs;
    await site.probe(args);
    expect(site.state().leaseFromMs).toBe(from);
    await sleep(5200);
    const renewed = await site.probe([...args, '-v']);
    expect(renewed.exitCode).toBe(0);
    expect(renewed.stderr).toContain(`renew ${V4}/32 dev lo`);
    expect(site.state().leaseFromMs).toBeGreaterThan(from ?? Infinity);
    for (const left of await leases()) expect(left).toBeGreaterThan(7);
  });

  test('is not renewed by a pass that fails, and runs out below the fall', async () => {
    const args = [...BOTH, '--lease', '7s', '--fall', '100'];
    await site.advertise(args);
    await site.server.kill();
    await sleep(3600);
    const failed = await site.probe(args);
    expect(failed).toMatchObject({ exitCode: 2 });
    expect(await site.namespace.serviceAddresses()).toHaveLength(2);
    for (const left of await leases()) expect(left).toBeLessThanOrEqual(4);
    await until('expiry', async () => (await site.namespace.serviceAddresses()).length === 0);
    const after = await site.probe(args);
    expect(after.exitCode).toBe(2);
    expect(after.stderr).toContain('is gone from the kernel');
    expect(await site.namespace.serviceAddresses()).toEqual([]);
  });

  test('is not renewed while the verdict is unknown, and runs out; then one good pass is enough', async () => {
    const args = [...BOTH, '--lease', '7s'];
    const blind = async (): Promise<number | null> =>
      (await probeWithoutSockets('when=1', [...args, '--attempts', '1'])).exitCode;
    await site.advertise(args);
    const { health } = site.state();
    await sleep(3600);
    expect(await blind()).toBe(69);
    expect(site.state().health).toEqual(health);
    await until('expiry', async () => (await site.namespace.serviceAddresses()).length === 0);
    expect(await blind()).toBe(69);
    expect(site.state()).toMatchObject({ advertising: false, health: { status: 'up' } });
    const { exitCode, stderr } = await site.probe(args);
    expect(exitCode).toBe(0);
    expect(stderr).toContain('up: advertising');
    expect(await site.namespace.serviceAddresses()).toHaveLength(2);
  });

  test('that is over before the next pass comes: nothing is added, which is said once', async () => {
    const args = [...BOTH, '--lease', '2s', '--rise', '2'];
    const said: string[] = [];
    for (let pass = 0; pass < 4; pass += 1) {
      if (pass > 0) await sleep(2600);
      const { exitCode, stderr } = await site.probe(args);
      expect(exitCode).toBe(0);
      said.push(stderr);
    }
    expect(said.join('').match(/--lease 2s is over before the next pass comes/g)).toHaveLength(1);
    expect(await site.namespace.serviceAddresses()).toEqual([]);
    expect(site.state().health).toMatchObject({ status: 'up' }); // the counters went on
    const longer = await site.probe([...BOTH, '--lease', '1h']);
    expect(longer.stderr).toContain('up: advertising');
  });

  test('that is switched off makes the addresses stay, and switched on again limits them', async () => {
    await site.advertise([...BOTH, '--lease', 'off']);
    expect(await leases()).toEqual([undefined, undefined]);
    await site.probe([...BOTH, '--lease', '1h']);
    for (const left of await leases()) expect(left).toBeLessThanOrEqual(3600);
    await site.probe([...BOTH, '--lease', 'off']);
    expect(await leases()).toEqual([undefined, undefined]);
  });
});

test('a pass that cannot even read the kernel leaves everything as it is', async () => {
  await site.advertise(BOTH);
  const before = site.state();
  const { exitCode, stderr } = await probeWithoutSockets('when=1+', BOTH);
  expect(exitCode).toBe(71);
  expect(stderr).toMatch(/^dns-probe: cannot read the interfaces: [^\n]+\n$/);
  expect(site.state()).toEqual(before);
  expect(await site.namespace.serviceAddresses()).toHaveLength(2);
});

/** A pass to which the kernel refuses sockets: all of them, or the first, which is the probe's. */
async function probeWithoutSockets(
  when: 'when=1' | 'when=1+',
  args: readonly string[],
): Promise<Finished> {
  const filter = ['-f', '-qq', '-o', '/dev/null', '-e', `inject=socket:error=EMFILE:${when}`];
  const probe = [process.execPath, 'dist/dns-probe', ...site.args(args)];
  return site.namespace.exec('strace', [...filter, ...probe]);
}

describe('a pass that changes nothing', () => {
  test('says nothing and starts no process', async () => {
    await site.advertise(BOTH);
    await site.probe(BOTH);
    const trace = path.join(site.folder, 'trace');
    const calls = 'trace=clone,clone3,fork,vfork,execve,execveat';
    const filter = ['-f', '-qq', '-o', trace, '-e', calls];
    const probe = [process.execPath, 'dist/dns-probe', ...site.args(BOTH)];
    const pass = await site.namespace.exec('strace', [...filter, ...probe]);
    expect(pass).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });
    const lines = readFileSync(trace, 'utf8').split('\n');
    const started = lines.filter(
      (line) =>
        /\b(?:clone3?|fork|vfork|execve|execveat)\(/.test(line) && !line.includes('CLONE_THREAD'),
    );
    expect(started).toHaveLength(1);
    expect(started[0]).toContain('execve(');
    expect(started[0]).toContain('dist/dns-probe');
    // The same trace sees the process that a change needs.
    await site.namespace.ip(`address del ${V4}/32 dev lo`);
    await site.namespace.exec('strace', [...filter, ...probe]);
    expect(readFileSync(trace, 'utf8')).toMatch(
      /execve\("[^"]*\/ip", \["ip", "-force", "-batch", "-"\]/,
    );
  });

  test.each([
    ['that fails below the fall', ['--fall', '9'], true],
    ['of a suspended instance', [], false],
  ])('%s starts none either', async (what, extra, kill) => {
    await site.advertise(BOTH);
    if (kill) await site.server.kill();
    else await site.probe([...BOTH, '--withdraw', '--drain', '0']);
    await site.probe([...BOTH, ...extra, '--rise', '9']);
    const trace = path.join(site.folder, 'trace');
    const filter = ['-f', '-qq', '-o', trace, '-e', 'trace=execve'];
    const probe = [
      process.execPath,
      'dist/dns-probe',
      ...site.args([...BOTH, ...extra, '--rise', '9']),
    ];
    await site.namespace.exec('strace', [...filter, ...probe]);
    const started = readFileSync(trace, 'utf8')
      .split('\n')
      .filter((line) => line.includes('execve('));
    expect({ what, started: started.length }).toEqual({ what, started: 1 });
  });
});

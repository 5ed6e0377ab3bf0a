import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DnsSite } from '../support/dns-site.ts';
import { run } from '../support/executable.ts';

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

describe('the addresses of a service', () => {
  test('come after the rise, go after the fall, and each change is one line', async () => {
    expect(await site.probe(BOTH)).toMatchObject({ exitCode: 0, stdout: '' });
    expect(await site.namespace.serviceAddresses()).toEqual([]);
    const up = await site.probe(BOTH);
    expect(up).toMatchObject({ exitCode: 0, stdout: '' });
    expect(up.stderr).toMatch(/^dns-probe: up: advertising 192\.0\.2\.1\/32 dev lo, [^\n]+\n$/);
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`, `${V6}/128`]);
    await site.server.kill();
    expect(await site.probe(BOTH)).toMatchObject({ exitCode: 2, stdout: '', stderr: '' });
    expect(await site.namespace.serviceAddresses()).toHaveLength(2);
    const down = await site.probe(BOTH);
    expect(down).toMatchObject({ exitCode: 2, stdout: '' });
    expect(down.stderr).toMatch(
      /^dns-probe: down: withdrew 192\.0\.2\.1\/32 [^\n]*refused[^\n]+\n$/,
    );
    expect(await site.namespace.serviceAddresses()).toEqual([]);
    // A service that is down is not drained.
    expect(await site.drained()).toEqual([]);
  });

  test('have the lease of the kernel, and IPv6 is deprecated, without DAD', async () => {
    await site.advertise([...BOTH, '--lease', '90s']);
    const addresses = await site.namespace.addresses();
    const four = addresses.find(({ address }) => address === V4);
    const six = addresses.find(({ address }) => address === V6);
    const lease = expect.toSatisfy((left: number) => left > 60 && left <= 90) as number;
    expect(four).toMatchObject({ prefixLength: 32, validSeconds: lease });
    expect(six).toMatchObject({ prefixLength: 128, validSeconds: lease, preferredSeconds: 0 });
    expect(six?.flags).toEqual(expect.arrayContaining(['deprecated', 'nodad']) as string[]);
    expect(six?.flags).not.toContain('tentative');
    // FRR 10 does not announce an address without its prefix route.
    expect(six?.flags).not.toContain('noprefixroute');
    expect(await site.namespace.ip(`-6 route show ${V6}`)).toContain(
      'dev lo proto kernel metric 256',
    );
    await site.probe([...BOTH, '--withdraw', '--drain', '0']);
    expect(await site.namespace.ip(`-6 route show ${V6}`)).toBe('');
  });

  test('stay for ever without a lease', async () => {
    await site.advertise([...BOTH, '--lease', 'off']);
    const managed = (await site.namespace.addresses()).filter(({ address }) =>
      [V4, V6].includes(address),
    );
    expect(managed.map(({ validSeconds }) => validSeconds)).toEqual([undefined, undefined]);
    expect(managed.find(({ family }) => family === 6)?.preferredSeconds).toBe(0);
  });

  test('are never the source of what the node itself sends', async () => {
    const { namespace } = site;
    await namespace.ip('link add veth0 type veth peer name veth1');
    await namespace.ip('address add 203.0.113.5/24 dev veth0');
    await namespace.ip('-6 address add 2001:db8:5::5/64 dev veth0 nodad');
    for (const device of ['veth0', 'veth1']) await namespace.ip(`link set ${device} up`);
    await namespace.ip('route add default via 203.0.113.1');
    await namespace.ip('-6 route add default via 2001:db8:5::1');
    await site.advertise(BOTH);
    expect(await namespace.ip('route get 198.51.100.1')).toContain('src 203.0.113.5');
    expect(await namespace.ip('-6 route get 2001:db8:ffff::1')).toContain('src 2001:db8:5::5');
  });

  test('on another interface are managed there', async () => {
    await site.namespace.ip('link add veth0 type veth peer name veth1');
    for (const device of ['veth0', 'veth1']) await site.namespace.ip(`link set ${device} up`);
    await site.advertise([...BOTH, '--interface', 'veth0']);
    const there = (await site.namespace.addresses('veth0')).map(({ address }) => address);
    expect(there).toEqual(expect.arrayContaining([V4, V6]) as string[]);
    expect(await site.namespace.serviceAddresses()).toEqual([]);
    expect(
      await site.probe([...BOTH, '--interface', 'veth0', '--withdraw', '--drain', '0']),
    ).toMatchObject({ exitCode: 0 });
    const left = (await site.namespace.addresses('veth0')).map(({ address }) => address);
    expect(left).not.toContain(V4);
    expect(left).not.toContain(V6);
  });
});

describe('an address', () => {
  test('that was removed by hand is put back, and that is said in one line', async () => {
    await site.advertise(BOTH);
    await site.namespace.ip(`address del ${V4}/32 dev lo`);
    expect(await site.probe(BOTH)).toEqual({
      exitCode: 0,
      signal: null,
      stdout: '',
      stderr: `dns-probe: put ${V4}/32 dev lo back, which was missing\n`,
    });
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`, `${V6}/128`]);
    expect(await site.probe(BOTH)).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test('that a run names for the first time is not called missing', async () => {
    await site.advertise(['-a', V4]);
    const { exitCode, stderr } = await site.probe(BOTH);
    expect(exitCode).toBe(0);
    expect(stderr).toBe(`dns-probe: added ${V6}/128 dev lo\n`);
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`, `${V6}/128`]);
  });

  test('of somebody else is never touched', async () => {
    await site.namespace.ip('address add 198.51.100.9/32 dev lo');
    await site.namespace.ip('-6 address add 2001:db8:9::9/128 dev lo');
    await site.namespace.ip('address add 192.0.2.77/24 dev lo');
    const foreign = await site.namespace.serviceAddresses();
    await site.advertise(BOTH);
    await site.server.kill();
    await site.probe([...BOTH, '--fall', '1']);
    expect(await site.namespace.serviceAddresses()).toEqual(foreign);
    await site.probe([...BOTH, '--withdraw']);
    expect(await site.namespace.serviceAddresses()).toEqual(foreign);
  });

  test('that is there already is taken over without a gap, and gets the lease', async () => {
    await site.namespace.ip(`address add ${V4}/32 dev lo`);
    const { exitCode, stderr } = await site.probe(['-a', V4]);
    expect(exitCode).toBe(0);
    expect(stderr).toBe('dns-probe: no state yet: starting from what the kernel shows\n');
    const [address] = (await site.namespace.addresses()).filter(({ address }) => address === V4);
    expect(address?.validSeconds).toBeLessThanOrEqual(300);
    await site.server.kill();
    await site.probe(['-a', V4]);
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`]);
    await site.probe(['-a', V4]);
    expect(await site.namespace.serviceAddresses()).toEqual([]);
  });

  test('that is on the interface with another prefix length is left alone beside the service address', async () => {
    await site.namespace.ip(`address add ${V4}/24 dev lo`);
    await site.advertise(['-a', V4]);
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/24`, `${V4}/32`]);
    await site.probe(['-a', V4, '--withdraw', '--drain', '0']);
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/24`]);
  });
});

describe('what the kernel refuses', () => {
  test('of several addresses is named, and only that, while the others work', async () => {
    await site.namespace.exec('sysctl', ['-qw', 'net.ipv6.conf.lo.disable_ipv6=1']);
    const { exitCode, stderr } = await site.probe([...BOTH, '--rise', '1']);
    expect(exitCode).toBe(71);
    const errors = stderr.split('\n').filter((line) => line.includes('cannot'));
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain(`cannot add ${V6}/128 dev lo: `);
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`]);
    // It goes on trying, and the address that works stays.
    expect((await site.probe(BOTH)).exitCode).toBe(71);
    await site.namespace.exec('sysctl', ['-qw', 'net.ipv6.conf.lo.disable_ipv6=0']);
    expect((await site.probe(BOTH)).exitCode).toBe(0);
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`, `${V6}/128`]);
  });

  test('for lack of CAP_NET_ADMIN is exit status 77', async () => {
    const probe = (args: readonly string[]): ReturnType<typeof site.namespace.exec> =>
      site.namespace.exec('setpriv', [
        '--bounding-set=-net_admin',
        '--inh-caps=-net_admin',
        process.execPath,
        'dist/dns-probe',
        ...site.args(args),
      ]);
    const add = await probe(['-a', V4, '--rise', '1']);
    expect(add.exitCode).toBe(77);
    expect(add.stderr).toContain(`cannot add ${V4}/32 dev lo: `);
    expect(add.stderr).toContain('CAP_NET_ADMIN is needed');
    await site.advertise(['-a', V4]);
    await site.server.kill();
    const remove = await probe(['-a', V4, '--fall', '1']);
    expect(remove.exitCode).toBe(77);
    expect(remove.stderr).toContain(`cannot remove ${V4}/32 dev lo: `);
  });

  test('although it says otherwise is found by reading back', async () => {
    const { exitCode, stderr } = await probeWithLyingIp(['-a', V4, '--rise', '1']);
    expect(exitCode).toBe(71);
    expect(stderr).toContain(
      `cannot add ${V4}/32 dev lo: the kernel took it, but the address is not there`,
    );
    await site.advertise(['-a', V4]);
    await site.server.kill();
    const removal = await probeWithLyingIp(['-a', V4, '--fall', '1']);
    expect(removal.exitCode).toBe(71);
    expect(removal.stderr).toContain(
      `cannot remove ${V4}/32 dev lo: the kernel took it, but the address is still there`,
    );
  });
});

/** A pass where `ip -batch` says that all is well and does nothing. */
async function probeWithLyingIp(args: readonly string[]): ReturnType<typeof site.namespace.exec> {
  const script = `set -e
    cp /usr/bin/ip "$0/real-ip"
    printf '#!/bin/sh\\ncase "$*" in *-batch*) cat >/dev/null; exit 0;; esac\\nexec %s/real-ip "$@"\\n' "$0" >"$0/ip"
    chmod 755 "$0/ip"
    mount --bind "$0/ip" /usr/bin/ip
    exec "$@"`;
  return site.namespace.exec('unshare', [
    '-m',
    'sh',
    '-c',
    script,
    site.folder,
    process.execPath,
    'dist/dns-probe',
    ...site.args(args),
  ]);
}

describe('an interface', () => {
  test('that is missing tells nothing of the service', async () => {
    await site.advertise(BOTH);
    const before = site.state().health;
    const { exitCode, stderr, stdout } = await site.probe([...BOTH, '--interface', 'gone0']);
    // Another interface is another place: flags must not drop what they managed.
    expect({ exitCode, stdout }).toEqual({ exitCode: 78, stdout: '' });
    expect(stderr).toContain('--withdraw');
    expect(site.state().health).toEqual(before);
    const other = await site.probe([
      '-i',
      'other',
      '-a',
      '192.0.2.9',
      '--interface',
      'gone0',
      '-v',
    ]);
    expect(other.exitCode).toBe(69);
    expect(other.stderr).toContain('interface gone0 is missing');
    expect(site.state('other').health).toMatchObject({ status: 'down', successes: 0, failures: 0 });
  });

  test('are gone with their interface, and that is said', async () => {
    await site.namespace.ip('link add gone1 type veth peer name gone2');
    for (const end of ['gone1', 'gone2']) await site.namespace.ip(`link set ${end} up`);
    const args = ['-a', V4, '--interface', 'gone1', '-i', 'gone', '--rise', '1'];
    expect((await site.probe(args)).exitCode).toBe(0);
    await site.namespace.ip('link del gone1');
    const { exitCode, stderr } = await site.probe(args);
    expect(exitCode).toBe(69);
    expect(stderr).toContain('is gone from the kernel: interface gone1 is missing\n');
    expect(stderr).not.toContain('removed by hand');
  });

  test('lo that is down changes no counter and no address', async () => {
    await site.advertise(BOTH);
    await site.probe(BOTH);
    const before = site.state().health;
    await site.namespace.ip('link set lo down');
    for (let pass = 0; pass < 3; pass++) expect((await site.probe(BOTH)).exitCode).toBe(69);
    expect(site.state().health).toEqual(before);
    await site.namespace.ip('link set lo up');
    expect(await site.namespace.serviceAddresses()).toContain(`${V4}/32`);
    expect((await site.probe(BOTH)).exitCode).toBe(0);
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`, `${V6}/128`]);
  });
});

describe('an address that is there in another guise', () => {
  test('is ours however it is labelled: it is seen, and removed', async () => {
    for (const label of ['loany', 'lo:ha', 'lo']) {
      await site.namespace.ip(`address add ${V4}/32 dev lo label ${label}`);
      const up = await site.probe(['-a', V4, '-i', label.replace(':', '-'), '--rise', '1', '-v']);
      expect(up.exitCode).toBe(0);
      expect(up.stderr).toContain(`${V4}/32 dev lo is present`);
      const args = ['-a', V4, '-i', label.replace(':', '-'), '--withdraw', '--drain', '0'];
      expect((await site.probe(args)).exitCode).toBe(0);
      expect(await site.namespace.ip('-o address show dev lo')).not.toContain(V4);
    }
  });

  test.each([
    ['with another prefix length', 'lo', '24'],
    ['on another interface', 'copy0', '32'],
  ])('%s is not ours, stays, and is told', async (_what, device, length) => {
    await site.namespace.ip('link add copy0 type veth peer name copy1');
    for (const end of ['copy0', 'copy1']) await site.namespace.ip(`link set ${end} up`);
    const args = ['-a', V4, '--rise', '1', '--fall', '1'];
    await site.advertise(args);
    await site.namespace.ip(`address add ${V4}/${length} dev ${device}`);
    const told = `${V4} is on this node a second time, as ${V4}/${length} dev ${device}: `;
    expect((await site.probe(args)).stderr).toContain(told);
    expect((await site.probe(args)).stderr).toBe(''); // once
    await site.server.kill();
    const down = await site.probe(args);
    expect(down.exitCode).toBe(2);
    expect(down.stderr).toContain('down: withdrew');
    expect(await site.namespace.ip('-o address show')).toContain(`${V4}/${length} `);
    expect(await site.namespace.ip('-o address show dev lo')).not.toContain(`${V4}/32`);
  });
});

describe('a withdrawal', () => {
  test('is what a configuration asks for that names no address any more', async () => {
    const file = path.join(site.folder, 'one.toml');
    const text = `rise = 1\ndrain = "200ms"\nlease = "off"\n`;
    writeFileSync(file, `${text}address = "${V4}"\n`);
    await site.probe(['--config', file]);
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`]);
    writeFileSync(file, text);
    expect(await site.probe(['--config', file])).toMatchObject({
      exitCode: 0,
      stdout: '',
      stderr: `dns-probe: one: down: withdrew ${V4}/32 dev lo: the configuration names no address any more\n`,
    });
    expect(await site.namespace.serviceAddresses()).toEqual([]);
    expect(site.stateFiles()).toEqual([]);
    // From then on it only checks.
    expect((await site.probe(['--config', file])).stdout).toMatch(/^one: up: /);
  });

  test('needs none of the options that the probe itself needs', async () => {
    const instance = ['-i', 'ntp', '-a', V4, '--rise', '1'];
    const { namespace } = site;
    await run('exec-probe', [...site.args(instance), '--', 'true'], { namespace });
    expect(await namespace.serviceAddresses()).toEqual([`${V4}/32`]);
    const args = site.args(['-i', 'ntp', '--withdraw', '--drain', '0s']);
    expect(await run('exec-probe', args, { namespace })).toMatchObject({
      exitCode: 0,
      stderr: `exec-probe: ntp: down: withdrew ${V4}/32 dev lo: withdrawn on request\n`,
    });
    expect(await namespace.serviceAddresses()).toEqual([]);
  });
});

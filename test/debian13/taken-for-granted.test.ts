import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { BootedSystemd } from '../support/booted-systemd.ts';
import { createDebian13 } from '../support/debian13.ts';
import { until } from '../support/until.ts';

// A whole machine boots here, maybe beside other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/**
 * What this project takes for granted of the kernel, iproute2, FRR, BIRD and systemd, on both
 * releases of Debian. Where one of these fails, the world has changed: read what it says, and
 * change the code that goes by it.
 */

const V4 = '192.0.2.1';
const V6 = '2001:db8::1';
const LEFTOVER = `${V6} dev lo proto kernel metric 256`;

const FRR = `
interface lo
!
ip prefix-list S4 seq 5 permit ${V4}/32
ipv6 prefix-list S6 seq 5 permit ${V6}/128
route-map S4 permit 10
 match interface lo
 match ip address prefix-list S4
route-map S6 permit 10
 match interface lo
 match ipv6 address prefix-list S6
interface link0
 ip ospf area 0
 ipv6 ospf6 area 0
router ospf
 ospf router-id 198.51.100.2
 redistribute connected route-map S4
router ospf6
 ospf6 router-id 198.51.100.2
 redistribute connected route-map S6
`;

const BIRD = `
router id 198.51.100.2;
protocol device { scan time 1; }
protocol direct { ipv4; ipv6; interface "lo"; }
`;

const RELEASES = [
  { name: 'Debian 12', create: () => BootedSystemd.create(), frr: 8, bird: '2.0' },
  { name: 'Debian 13', create: createDebian13, frr: 10, bird: '2.17' },
] as const;

describe.each(RELEASES)('on $name', ({ create, frr, bird }) => {
  let machine: BootedSystemd;
  const ip = (...args: readonly string[]): Promise<string> => machine.must('ip', ...args);
  const lifetimes = ['valid_lft', '300', 'preferred_lft', '300'];

  beforeAll(async () => {
    machine = await create();
    await machine.namespace.ip('link add link0 type veth peer name link1');
    for (const end of ['link0', 'link1']) await machine.namespace.ip(`link set ${end} up`);
    await machine.namespace.ip('address add 198.51.100.2/30 dev link0');
    machine.write(
      '/etc/frr/daemons',
      'zebra=yes\nospfd=yes\nospf6d=yes\nvtysh_enable=yes\nzebra_options="-A 127.0.0.1"\nospfd_options="-A 127.0.0.1"\nospf6d_options="-A ::1"\n',
    );
    machine.write('/etc/frr/frr.conf', FRR, 0o640);
    machine.write('/etc/bird/bird.conf', BIRD, 0o644);
    await machine.boot();
    await machine.must('chown', 'frr:frr', '/etc/frr/frr.conf', '/etc/frr/daemons');
  });

  afterAll(async () => {
    await machine.dispose();
  });

  async function addBoth(...more: readonly string[]): Promise<void> {
    await ip('address', 'replace', `${V4}/32`, 'dev', 'lo', ...lifetimes);
    await ip(
      ...['address', 'replace', `${V6}/128`, 'dev', 'lo'],
      ...['valid_lft', '300', 'preferred_lft', '0', 'nodad', ...more],
    );
  }

  async function removeBoth(): Promise<void> {
    for (const address of [`${V4}/32`, `${V6}/128`]) {
      await machine.run('ip', 'address', 'del', address, 'dev', 'lo');
    }
    await machine.run('ip', 'route', 'del', `${V6}/128`, 'dev', 'lo', 'proto', 'kernel');
  }

  test('kernel: an IPv6 address with a lifetime has a route in the main table, and leaves it', async () => {
    await addBoth();
    expect(await ip('-6', 'route', 'show', V6)).toContain(LEFTOVER);
    await ip('address', 'del', `${V6}/128`, 'dev', 'lo');
    expect(await ip('-6', 'route', 'show', V6)).toContain(LEFTOVER);
    await ip('route', 'del', `${V6}/128`, 'dev', 'lo', 'table', 'main', 'proto', 'kernel');
    expect(await ip('-6', 'route', 'show', V6)).toBe('');
    await removeBoth();
  });

  test('kernel: a lifetime ends an address by itself', async () => {
    for (const address of [`${V4}/32`, `${V6}/128`]) {
      await ip('address', 'add', address, 'dev', 'lo', 'valid_lft', '1', 'preferred_lft', '1');
    }
    await until('the end', async () => (await machine.namespace.serviceAddresses()).length === 0);
    await removeBoth();
  });

  test('iproute2: a batch goes on behind a line that fails, and numbers it', async () => {
    machine.write('/root/batch', `addr del ${V4}/32 dev lo\naddr add ${V4}/32 dev lo\n`);
    const { exitCode, stderr } = await machine.run('ip', '-force', '-batch', '/root/batch');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^.+\nCommand failed \/root\/batch:1\s*$/);
    expect(await machine.namespace.serviceAddresses()).toEqual([`${V4}/32`]);
    await removeBoth();
  });

  test('iproute2: what is read as JSON has the fields that are read', async () => {
    await addBoth();
    const [lo] = JSON.parse(await ip('-json', 'addr', 'show', 'dev', 'lo')) as [unknown];
    expect(lo).toMatchObject({ ifname: 'lo', flags: expect.arrayContaining(['UP']) as string[] });
    expect(JSON.stringify(lo)).toMatch(
      /"local":"192\.0\.2\.1","prefixlen":32,.*"valid_life_time":\d+/,
    );
    await removeBoth();
  });

  test(`FRR ${frr}: announces what stands on lo, and no local route of AnyIP`, async () => {
    await machine.must('systemctl', 'start', 'frr');
    expect(await machine.must('vtysh', '-c', 'show version')).toContain(`FRRouting ${frr}.`);
    await addBoth();
    await untilOspf([V4, V6]);
    for (const address of [V4, V6]) {
      const drain = ['dev', 'lo', 'table', 'local', 'proto', '120', 'metric', '1'];
      await ip('route', 'add', 'local', address, ...drain);
    }
    await removeBoth();
    await untilOspf([]);
  });

  test(`FRR ${frr}: ${frr === 8 ? 'announces' : 'passes over'} an address without its prefix route`, async () => {
    await addBoth('noprefixroute');
    await untilOspf(frr === 8 ? [V4, V6] : [V4]);
    // Set anew with the route, it is announced.
    await addBoth();
    await untilOspf([V4, V6]);
    await removeBoth();
    await untilOspf([]);
    await machine.must('systemctl', 'stop', 'frr');
  });

  async function untilOspf(wanted: readonly string[]): Promise<void> {
    await until(
      `announced: ${wanted.join(' ')}`,
      async () => {
        const shown = await machine.must(
          ...(['vtysh', '-c', 'show ip ospf database external self-originate'] as const),
          ...['-c', 'show ipv6 ospf6 database as-external detail'],
        );
        const lsas = shown.split(/\n\s*\n/).filter((lsa) => !/(?:LS age|Age): *3600/.test(lsa));
        const found = [V4, V6].filter((address) =>
          lsas.some((lsa) => lsa.includes(`ID: ${address} `) || lsa.includes(`${address}/128`)),
        );
        if (found.join(' ') !== wanted.join(' ')) throw new Error(found.join(' ') || 'nothing');
        return true;
      },
      { timeoutMs: 60_000, everyMs: 300 },
    );
  }

  test(`BIRD ${bird}: its direct protocol has what stands on lo`, async () => {
    await machine.must('systemctl', 'start', 'bird');
    await until('BIRD', async () =>
      (await machine.run('birdc', 'show', 'status')).stdout.includes(`BIRD ${bird}`),
    );
    const routes = async (): Promise<readonly string[]> => {
      const shown = await machine.must('birdc', 'show', 'route');
      return [V4, V6].filter((address) => shown.includes(`${address}/`));
    };
    await addBoth();
    await until('both', async () => (await routes()).length === 2);
    await removeBoth();
    await until('none', async () => (await routes()).length === 0);
  });

  test('systemd: a status that is no success fails the unit and starts OnFailure; kept folders stay', async () => {
    machine.write(
      '/etc/systemd/system/alarm.service',
      '[Service]\nType=oneshot\nExecStart=touch /run/alarm\n',
    );
    machine.write(
      '/etc/systemd/system/exits@.service',
      '[Unit]\nOnFailure=alarm.service\n[Service]\nType=oneshot\nExecStart=sh -c "touch /run/one/file /run/two/file; exit %i"\n' +
        'SuccessExitStatus=2\nRuntimeDirectory=one two\nRuntimeDirectoryPreserve=yes\n',
    );
    await machine.must('systemctl', 'daemon-reload');
    expect((await machine.run('systemctl', 'start', 'exits@2.service')).exitCode).toBe(0);
    await machine.must('test', '-e', '/run/one/file', '-a', '-e', '/run/two/file');
    expect((await machine.run('test', '-e', '/run/alarm')).exitCode).toBe(1);
    expect((await machine.run('systemctl', 'start', 'exits@1.service')).exitCode).toBe(1);
    await until(
      'the alarm',
      async () => (await machine.run('test', '-e', '/run/alarm')).exitCode === 0,
    );
  });
});

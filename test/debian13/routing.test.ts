import { readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { BootedSystemd } from '../support/booted-systemd.ts';
import { INSTALLED_EXAMPLES, RELEASES } from '../support/debian-releases.ts';
import { ROOT } from '../support/executable.ts';
import { until } from '../support/until.ts';

// A whole machine boots here, maybe beside other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/**
 * Each node of scripts/routing beside the router of its protocol there, as the files stand: with Debian's own units
 * and daemons of both releases. The router runs from the machine's files, in a network of its own at
 * the far end of bond0.
 */

const ROUTING = path.join(ROOT, 'scripts/routing');
const [SERVICE, ROUTE] = [
  ['192.0.2.1', '2001:db8::1'],
  ['192.0.2.153', '2001:db8:ffff:b000::153'],
] as const;

/** What the router shows of an address that is a last resort, and the commands that have it do so. */
type LastResort = readonly [sign: RegExp, ...commands: string[]];

/** What router.conf says of a node with BIRD. */
const NO_AUTHENTICATION =
  'no ipv6 ospf6 authentication key-id 1 hash-algo hmac-sha-256 key change-me';

describe.each(RELEASES)('on $name', ({ create }) => {
  let machine: BootedSystemd;
  const used = new Set<string>();

  function shipped(file: string): string {
    used.add(file);
    return `${INSTALLED_EXAMPLES}/routing/${file}`;
  }

  beforeAll(async () => {
    machine = await create();
    await machine.boot();
    const daemons = 's/^\\(ospfd\\|ospf6d\\|bgpd\\|isisd\\)=no/\\1=yes/';
    await machine.must('sed', '-i', daemons, '/etc/frr/daemons');
    for (const line of [
      'netns add router',
      'link add bond0 type veth peer name node0 netns router',
      'link add tun0 type veth peer name tun1',
      'link add ha-drain type veth peer name ha-drain-p',
      'address add 198.51.100.2/30 dev bond0',
      'address add 2001:db8:ffff:1000::2/64 dev bond0 nodad',
      'link set bond0 up',
      'link set tun0 up',
      'link set tun1 up',
      'link set ha-drain up',
      'link set ha-drain-p up',
      '-n router link set lo up',
      '-n router address add 198.51.100.1/30 dev node0',
      '-n router address add 2001:db8:ffff:1000::1/64 dev node0 nodad',
      '-n router link set node0 up',
      ...SERVICE.map((address) => `address add ${address} dev lo`),
      ...ROUTE.map((address) => `route add ${address} dev tun0`),
    ]) {
      await machine.must('ip', ...line.split(' '));
    }
    await machine.must('install', '-d', '-o', 'frr', '-g', 'frr', '/etc/frr/router');
    await machine.must('install', '-d', '-o', 'frr', '-g', 'frr', '/run/frr', '/run/frr/router');
    machine.write('/etc/frr/router/vtysh.conf', '');
    // FRR 10 has mgmtd, which keeps the route maps. In the background it holds on to its output.
    const start =
      'for daemon in mgmtd zebra ospfd ospf6d bgpd isisd; do test ! -e /usr/lib/frr/$daemon || ' +
      'ip netns exec router /usr/lib/frr/$daemon -d -N router -P 0 >/root/$daemon.out 2>&1 || exit; done';
    await machine.must('sh', '-c', start);
    // The three of them agree on what they have in common.
    for (const file of ['frr/router.conf', 'frr/bgp-router.conf', 'frr/isis-router.conf']) {
      const said = await machine.must('vtysh', '-N', 'router', '-f', shipped(file));
      expect(said).not.toMatch(/%|unknown/i);
    }
  });

  afterAll(async () => {
    await machine.dispose();
  });

  /** What the node's end leaves behind would do for the next one. */
  afterEach(async () => {
    await machine.run('systemctl', 'stop', 'frr', 'bird');
    await untilTaken([]);
  });

  /** Waits until the router uses routes of the node's to these addresses, and to no other one. */
  async function untilTaken(wanted: readonly string[]): Promise<void> {
    await until(
      `routes to ${wanted.join(' ') || 'nothing'}`,
      async () => {
        const taken = [];
        for (const address of [...SERVICE, ...ROUTE]) {
          const family = address.includes(':') ? '-6' : '-4';
          const shown = await machine.must('ip', '-n', 'router', family, 'route', 'show', address);
          if (shown.includes('dev node0')) taken.push(address);
        }
        if (taken.join(' ') !== wanted.join(' ')) throw new Error(taken.join(' ') || 'nothing');
        return true;
      },
      { timeoutMs: 30_000, everyMs: 200 },
    );
  }

  /**
   * Moves the service addresses to ha-drain, until the router shows that it heard of it for both
   * families, and back.
   */
  async function untilLastResort([sign, ...commands]: LastResort): Promise<void> {
    const move = async (from: string, to: string): Promise<void> => {
      for (const address of SERVICE) {
        await machine.must('ip', 'address', 'delete', address, 'dev', from);
        await machine.must('ip', 'address', 'add', address, 'dev', to);
      }
    };
    await move('lo', 'ha-drain');
    try {
      await until(
        'a last resort, by IPv4 and IPv6',
        async () => {
          const lines = commands.flatMap((command) => ['-c', command]);
          const shown = await machine.must('vtysh', '-N', 'router', ...lines);
          return (shown.match(sign) ?? []).length === SERVICE.length;
        },
        { timeoutMs: 30_000, everyMs: 200 },
      );
    } finally {
      await move('ha-drain', 'lo');
    }
  }

  const BY_OSPF: LastResort = [
    /Metric: 60000/g,
    'show ip ospf database external 192.0.2.1',
    'show ipv6 ospf6 database as-external detail',
  ];
  const BY_BGP: LastResort = [
    /Community: graceful-shutdown/g,
    'show bgp ipv4 unicast 192.0.2.1/32',
    'show bgp ipv6 unicast 2001:db8::1/128',
  ];

  test.each([
    ['frr/node.conf', SERVICE, BY_OSPF],
    ['frr/node-network.conf', SERVICE, undefined],
    ['frr/node-kernel.conf', ROUTE, undefined],
    ['frr/bgp-node.conf', SERVICE, BY_BGP],
    ['frr/isis-node.conf', SERVICE, undefined],
  ] as const)(
    'the router takes what %s announces, and nothing else',
    async (file, wanted, sign) => {
      await machine.must('cp', shipped(file), '/etc/frr/frr.conf');
      await machine.must('systemctl', 'start', 'frr');
      await untilTaken(wanted);
      if (sign !== undefined) await untilLastResort(sign);
    },
  );

  test('the router takes what bird/node.conf announces, without authentication of OSPFv3', async () => {
    await machine.must('cp', shipped('bird/node.conf'), '/etc/bird/bird.conf');
    const node0 = ['-c', 'configure terminal', '-c', 'interface node0'];
    await machine.must('vtysh', '-N', 'router', ...node0, '-c', NO_AUTHENTICATION);
    await machine.must('systemctl', 'start', 'bird');
    await untilTaken(SERVICE);
    await untilLastResort(BY_OSPF);
  });

  test('the router takes what bird/bgp-node.conf announces', async () => {
    await machine.must('cp', shipped('bird/bgp-node.conf'), '/etc/bird/bird.conf');
    await machine.must('systemctl', 'start', 'bird');
    await untilTaken(SERVICE);
    await untilLastResort(BY_BGP);
  });

  test('every file is tried that does not say itself that it is untested', () => {
    const files = readdirSync(ROUTING, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.includes('.untested.'))
      .map(({ parentPath, name }) => path.relative(ROUTING, path.join(parentPath, name)));
    expect([...used].sort()).toEqual(files.sort());
  });
});

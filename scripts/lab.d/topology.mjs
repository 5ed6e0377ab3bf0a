import { mustRun } from './processes.mjs';

/**
 * A client, three routers in a row, and a service node at either end of the row:
 *
 *     client --- r1 --- r2 --- r3
 *                |             |
 *               near          far
 *
 * The link from r3 to the far node is dear, so that every router prefers the near one, and none
 * has two equally short ways. In other layouts some share the clients between two equal ways: with
 * the client in the middle, at r2, or with both nodes at one router, r1.
 */
export const ROLES = /** @type {const} */ (['client', 'r1', 'r2', 'r3', 'near', 'far']);
export const NODES = /** @type {const} */ (['near', 'far']);
export const ROUTERS = /** @type {const} */ (['r1', 'r2', 'r3']);
export const SPEAKERS = /** @type {const} */ (['r1', 'r2', 'r3', 'near', 'far']);

/** @typedef {typeof ROLES[number]} Role */
/** @typedef {typeof NODES[number]} NodeRole */
/** @typedef {typeof SPEAKERS[number]} Speaker */
/** @typedef {'row' | 'middle' | 'one-router'} Layout */

export const SERVICE = { v4: '192.0.2.1', v6: '2001:db8::1' };

/** @typedef {{ role: Role, device: string, v4: string, v6: string }} End */

/** @type {readonly (readonly [End, End])[]} */
const LINKS = [
  [
    { role: 'near', device: 'bond0', v4: '198.51.100.2/30', v6: '2001:db8:ffff:1000::2/64' },
    { role: 'r1', device: 'node0', v4: '198.51.100.1/30', v6: '2001:db8:ffff:1000::1/64' },
  ],
  [
    { role: 'far', device: 'bond0', v4: '198.51.100.6/30', v6: '2001:db8:ffff:1001::2/64' },
    { role: 'r3', device: 'node0', v4: '198.51.100.5/30', v6: '2001:db8:ffff:1001::1/64' },
  ],
  [
    { role: 'r1', device: 'core0', v4: '198.51.100.9/30', v6: '2001:db8:ffff:1002::1/64' },
    { role: 'r2', device: 'core0', v4: '198.51.100.10/30', v6: '2001:db8:ffff:1002::2/64' },
  ],
  [
    { role: 'r2', device: 'core1', v4: '198.51.100.13/30', v6: '2001:db8:ffff:1003::1/64' },
    { role: 'r3', device: 'core0', v4: '198.51.100.14/30', v6: '2001:db8:ffff:1003::2/64' },
  ],
  [
    { role: 'client', device: 'eth0', v4: '203.0.113.2/30', v6: '2001:db8:ffff:3000::2/64' },
    { role: 'r1', device: 'client0', v4: '203.0.113.1/30', v6: '2001:db8:ffff:3000::1/64' },
  ],
];

/**
 * What differs from that in other layouts: the router's end of a link, by the device at the other.
 *
 * @type {Readonly<Record<Layout, Readonly<Partial<Record<Role, Pick<End, 'role' | 'device'>>>>>>}
 */
const MOVED = {
  row: {},
  middle: { client: { role: 'r2', device: 'client0' } },
  'one-router': { far: { role: 'r1', device: 'node1' } },
};

/**
 * The devices through which r1, r2 and r3 send the clients' packets: with both nodes, and with the
 * far one only.
 *
 * @type {Readonly<Record<Layout, Readonly<Record<NodeRole, readonly string[]>>>>}
 */
export const WAYS = {
  row: { near: ['node0', 'core0', 'core0'], far: ['core0', 'core1', 'node0'] },
  middle: { near: ['node0', 'core0 core1', 'node0'], far: ['core0', 'core1', 'node0'] },
  'one-router': { near: ['node0 node1', 'core0', 'core0'], far: ['node1', 'core0', 'core0'] },
};

/** Every network namespace of every lab begins with this. */
const PREFIX = 'ahalab-';

/**
 * @param {string} lab
 * @param {Role} role
 * @returns the network namespace of a part of a lab
 */
export function namespaceOf(lab, role) {
  return `${PREFIX}${lab}-${role}`;
}

/**
 * Makes namespaces and links. All addresses and routes are within those namespaces.
 *
 * @param {string} lab
 * @param {Layout} layout
 * @throws {Error} without root's rights, or when such a lab is there already
 */
export async function makeNetwork(lab, layout) {
  await Promise.all(
    ROLES.map(async (role) => {
      const ns = namespaceOf(lab, role);
      await mustRun('ip', ['netns', 'add', ns]);
      await mustRun('ip', ['-n', ns, 'link', 'set', 'lo', 'up']);
      const forward = role.startsWith('r') ? '1' : '0';
      const settings = [
        `net.ipv4.ip_forward=${forward}`,
        `net.ipv6.conf.all.forwarding=${forward}`,
        // A node may get a client's packet over one link and answer over another.
        'net.ipv4.conf.all.rp_filter=0',
        'net.ipv4.conf.default.rp_filter=0',
        // Connections are spread over equal ways, not hosts.
        'net.ipv4.fib_multipath_hash_policy=1',
        'net.ipv6.fib_multipath_hash_policy=1',
        // Link-local addresses are there at once: OSPFv3 does not wait a second for them.
        'net.ipv6.conf.default.accept_dad=0',
        // A link that goes down and up again has its addresses still.
        'net.ipv6.conf.all.keep_addr_on_down=1',
      ];
      await mustRun('ip', ['netns', 'exec', ns, 'sysctl', '-qw', ...settings]);
    }),
  );
  for (const [one, standard] of LINKS) {
    const other = { ...standard, ...MOVED[layout][one.role] };
    const [first, second] = [namespaceOf(lab, one.role), namespaceOf(lab, other.role)];
    const peer = ['peer', 'name', other.device, 'netns', second];
    await mustRun('ip', ['-n', first, 'link', 'add', one.device, 'type', 'veth', ...peer]);
    for (const { role, device, v4, v6 } of [one, other]) {
      const ns = namespaceOf(lab, role);
      await mustRun('ip', ['-n', ns, 'address', 'add', v4, 'dev', device]);
      await mustRun('ip', ['-n', ns, 'address', 'add', v6, 'dev', device, 'nodad']);
      await mustRun('ip', ['-n', ns, 'link', 'set', device, 'up']);
    }
  }
  await addDefaultRoutes(lab, ['client']);
}

/**
 * Gives hosts a default route to their router.
 *
 * @param {string} lab
 * @param {readonly Role[]} hosts
 */
export async function addDefaultRoutes(lab, hosts) {
  for (const host of hosts) {
    const [, router] = LINKS.find(([end]) => end.role === host) ?? [];
    for (const [family, prefix = ''] of [
      ['-4', router?.v4],
      ['-6', router?.v6],
    ]) {
      const via = ['via', String(prefix.split('/')[0])];
      await mustRun('ip', [
        '-n',
        namespaceOf(lab, host),
        String(family),
        'route',
        'add',
        'default',
        ...via,
      ]);
    }
  }
}

import { mustRun, run, signalProcess, until } from '../../lab.d/processes.mjs';

/**
 * A client and two nodes, all at one router. The link to the far node is dear, so that the router
 * prefers the near one:
 *
 *     client --- router --- near
 *                   |
 *                  far
 */
export const ROLES = /** @type {const} */ (['client', 'router', 'near', 'far']);
export const NODES = /** @type {const} */ (['near', 'far']);

/** @typedef {typeof ROLES[number]} Role */
/** @typedef {typeof NODES[number]} NodeRole */

export const SERVICE = { v4: '192.0.2.1', v6: '2001:db8::1' };

/** The device of the router's end of each link. */
export const DEVICES = { near: 'node0', far: 'node1', client: 'client0' };

/** Role, its device, and the numbers of its IPv4 and IPv6 networks; the router is the first host. */
const LINKS = /** @type {const} */ ([
  ['near', 'bond0', '198.51.100.', 0, '1000'],
  ['far', 'bond0', '198.51.100.', 4, '1001'],
  ['client', 'eth0', '203.0.113.', 0, '3000'],
]);

/** The namespaces of one network, which nothing leaves. */
export class Network {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
  }

  /** @param {Role} role */
  namespaceOf(role) {
    return `ahamx-${this.name}-${role}`;
  }

  /**
   * Runs a program within a part of it.
   *
   * @param {Role} role
   * @param {string} line its name and arguments, separated by spaces
   */
  async exec(role, line) {
    return mustRun('ip', ['netns', 'exec', this.namespaceOf(role), ...line.split(' ')]);
  }

  /** Makes namespaces, links and addresses. */
  async up() {
    for (const role of ROLES) {
      await mustRun('ip', ['netns', 'add', this.namespaceOf(role)]);
      await this.exec(role, 'ip link set lo up');
      const forward = role === 'router' ? 1 : 0;
      const settings = [
        `net.ipv4.ip_forward=${forward} net.ipv6.conf.all.forwarding=${forward}`,
        'net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0',
        'net.ipv6.conf.default.accept_dad=0',
      ];
      await this.exec(role, `sysctl -qw ${settings.join(' ')}`);
    }
    const router = this.namespaceOf('router');
    for (const [role, device, v4, offset, v6] of LINKS) {
      await this.exec(
        role,
        `ip link add ${device} type veth peer name ${DEVICES[role]} netns ${router}`,
      );
      for (const [end, name, host] of /** @type {const} */ ([
        ['router', DEVICES[role], 1],
        [role, device, 2],
      ])) {
        await this.exec(end, `ip address add ${v4}${offset + host}/30 dev ${name}`);
        await this.exec(end, `ip address add 2001:db8:ffff:${v6}::${host}/64 dev ${name} nodad`);
        await this.exec(end, `ip link set ${name} up`);
      }
    }
    await this.exec('client', 'ip route add default via 203.0.113.1');
    await this.exec('client', 'ip -6 route add default via 2001:db8:ffff:3000::1');
  }

  /** Ends all that runs in it, and removes it. */
  async down() {
    const namespaces = ROLES.map((role) => this.namespaceOf(role));
    await until(
      'the network ends',
      async () => {
        const lists = await Promise.all(
          namespaces.map((name) => run('ip', ['netns', 'pids', name])),
        );
        const pids = lists.flatMap(({ stdout }) => stdout.split('\n').filter(Boolean).map(Number));
        for (const pid of pids) signalProcess(pid, 'SIGKILL');
        return pids.length === 0;
      },
      { everyMs: 50 },
    );
    await Promise.all(namespaces.map((name) => run('ip', ['netns', 'delete', name])));
  }

  /**
   * Whether the router sends the clients of both families to one node.
   *
   * @param {NodeRole} node
   */
  async allGoTo(node) {
    const shown = await Promise.all([
      this.exec('router', `ip -4 route show ${SERVICE.v4}`),
      this.exec('router', `ip -6 route show ${SERVICE.v6}`),
    ]);
    return shown.every((text) => / dev (\S+)/.exec(text)?.[1] === DEVICES[node]);
  }

  /**
   * Has the router go by routes to the near node that win over those of the routing protocol, in a table of their own:
   * zebra would take those of the main one for better than OSPF's, and take the latter out.
   *
   * @param {'add' | 'delete'} verb
   */
  async overrule(verb) {
    for (const line of [
      `-4 route ${verb} ${SERVICE.v4} via 198.51.100.2 table 99`,
      `-6 route ${verb} ${SERVICE.v6} via 2001:db8:ffff:1000::2 table 99`,
      `-4 rule ${verb} to ${SERVICE.v4} lookup 99`,
      `-6 rule ${verb} to ${SERVICE.v6} lookup 99`,
    ]) {
      await this.exec('router', `ip ${line}`);
    }
  }
}

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { Checker } from './checker.mjs';
import { LABS, ROOT } from './paths.mjs';
import { mustRun, run, signalProcess, until } from './processes.mjs';
import { Resolver } from './resolver.mjs';
import { Routing } from './routing.mjs';
import { siteOf } from './sites.mjs';
import {
  addDefaultRoutes,
  makeNetwork,
  namespaceOf,
  NODES,
  ROLES,
  ROUTERS,
  SERVICE,
  SPEAKERS,
  WAYS,
} from './topology.mjs';

/** @typedef {import('./topology.mjs').Role} Role */
/** @typedef {import('./topology.mjs').NodeRole} NodeRole */
/** @typedef {import('./topology.mjs').Speaker} Speaker */
/** @typedef {import('./checker.mjs').Method} Method */

/**
 * @typedef {object} LabOptions
 * @property {import('./sites.mjs').Protocol} protocol what the network speaks
 * @property {string} nodes what nodes and routers run: one of SITES for this protocol
 * @property {string} spf OSPF's SPF timers of the routers in ms: delay, hold time, longest hold time;
 *   '' for FRR's own
 * @property {boolean} nodeSpf whether the nodes have the same ones
 * @property {Method | 'none'} method what checks Unbound
 * @property {number} interval seconds between two passes
 * @property {readonly string[]} probe more options for dns-probe
 */

/** The links to the nodes: who has routes to them knows the network. */
const NODE_LINKS = [
  ...['198.51.100.0/30', '198.51.100.4/30'],
  ...['2001:db8:ffff:1000::/64', '2001:db8:ffff:1001::/64'],
];

/** @type {LabOptions} */
export const DEFAULTS = {
  protocol: 'ospf',
  nodes: 'redistribute',
  spf: '',
  nodeSpf: false,
  method: 'probe',
  interval: 1,
  probe: [],
};

/** A lab that is up. All there is to know of it is in its folder and in the kernel. */
export class Lab {
  /** @param {string} name */
  constructor(name) {
    if (!/^[a-z0-9]{1,20}$/.test(name)) throw new Error(`'${name}' is no name for a lab`);
    this.name = name;
    this.folder = path.join(LABS, name);
    /** @param {Speaker} role */
    const routing = (role) => /** @type {const} */ ([role, new Routing(name, this.folder, role)]);
    this.routing = /** @type {Record<Speaker, Routing>} */ (
      Object.fromEntries(SPEAKERS.map(routing))
    );
    this.resolver = {
      near: new Resolver(name, this.folder, 'near'),
      far: new Resolver(name, this.folder, 'far'),
    };
    this.checker = {
      near: new Checker(name, this.folder, 'near'),
      far: new Checker(name, this.folder, 'far'),
    };
  }

  /**
   * Brings a lab up and waits until the routers know both nodes.
   *
   * @param {string} name
   * @param {Partial<LabOptions>} [options]
   * @throws {Error} when that fails; then nothing of it is left
   */
  static async up(name, options = {}) {
    const lab = new Lab(name);
    if (existsSync(lab.folder)) throw new Error(`lab '${name}' is up already`);
    const chosen = { ...DEFAULTS, ...options };
    mkdirSync(lab.folder, { recursive: true });
    try {
      await lab.#build(chosen);
    } catch (error) {
      await lab.down();
      throw error;
    }
    return lab;
  }

  /**
   * @param {string} name
   * @throws {Error} when there is none of that name
   */
  static open(name) {
    const lab = new Lab(name);
    if (!existsSync(lab.folder)) throw new Error(`lab '${name}' is not up`);
    return lab;
  }

  /** The names of the labs that are up. */
  static names() {
    return existsSync(LABS) ? readdirSync(LABS).sort() : [];
  }

  /** @param {LabOptions} options */
  async #build(options) {
    this.#remember(options);
    // A copy: a build in the meantime does not change what runs here.
    const bin = path.join(this.folder, 'bin');
    mkdirSync(bin);
    for (const file of readdirSync(path.join(ROOT, 'dist'), { withFileTypes: true })) {
      if (file.isFile()) cpSync(path.join(ROOT, 'dist', file.name), path.join(bin, file.name));
    }
    const site = siteOf(options.protocol, options.nodes);
    await makeNetwork(this.name, site.layout ?? 'row');
    // BGP tells nodes nothing; the others tell them the way back to the clients.
    if (options.protocol === 'bgp') await addDefaultRoutes(this.name, NODES);
    await Promise.all([
      ...SPEAKERS.map((role) => this.routing[role].start(site)),
      ...NODES.map((role) => this.resolver[role].start()),
    ]);
    await this.#setTimers(options);
    await this.awaitAdjacencies();
    if (options.method === 'none') return;
    this.startCheckers(options.method, options.interval, options.probe);
    await this.awaitSteady();
  }

  /**
   * Gives a lab that is up other timers and checkers; all else stays.
   *
   * @param {Omit<LabOptions, 'protocol' | 'nodes'>} options
   */
  async change(options) {
    const chosen = { ...this.options, ...options };
    if (this.options.method !== 'none') await this.#removeCheckers();
    this.#remember(chosen);
    await this.#setTimers(chosen);
    if (chosen.method === 'none') return;
    this.startCheckers(chosen.method, chosen.interval, chosen.probe);
    await this.awaitSteady();
  }

  async #removeCheckers() {
    for (const role of NODES) {
      await this.checker[role].remove();
      for (const address of await this.addressesOf(role)) {
        await this.exec(role, 'ip', ['address', 'delete', address, 'dev', 'lo']);
      }
      for (const family of ['-4', '-6']) {
        await this.exec(role, 'ip', [family, 'route', 'flush', 'table', 'local', 'proto', '120']);
      }
      // Not there before the first planned withdrawal.
      const namespace = namespaceOf(this.name, role);
      await run('ip', ['-n', namespace, 'address', 'flush', 'dev', 'ha-drain']);
    }
  }

  /** @param {LabOptions} options */
  async #setTimers({ protocol, nodes, spf, nodeSpf }) {
    if (protocol !== 'ospf') return;
    const ofNodes = nodes === 'bird' ? [] : NODES;
    await Promise.all([
      ...ROUTERS.map((role) => this.routing[role].setSpfTimers(spf)),
      ...ofNodes.map((role) => this.routing[role].setSpfTimers(nodeSpf ? spf : '')),
    ]);
  }

  /** @param {LabOptions} options */
  #remember(options) {
    writeFileSync(path.join(this.folder, 'options.json'), `${JSON.stringify(options)}\n`);
  }

  /** The service addresses. */
  get service() {
    return SERVICE;
  }

  /** @returns {LabOptions} what it was brought up with */
  get options() {
    const text = readFileSync(path.join(this.folder, 'options.json'), 'utf8');
    return /** @type {LabOptions} */ (JSON.parse(text));
  }

  /**
   * @param {Method} method
   * @param {number} interval
   * @param {readonly string[]} probe
   */
  startCheckers(method, interval, probe) {
    for (const role of NODES) this.checker[role].start(method, interval, probe);
  }

  /** Ends all that runs in the lab, and removes it without a trace. */
  async down() {
    const namespaces = ROLES.map((role) => namespaceOf(this.name, role));
    const pidsIn = async (/** @type {string} */ namespace) => {
      const { stdout } = await run('ip', ['netns', 'pids', namespace]);
      return stdout.split('\n').filter(Boolean).map(Number);
    };
    // One of them may start another in the moment before it is killed.
    await until(
      'the lab ends',
      async () => {
        const pids = (await Promise.all(namespaces.map(pidsIn))).flat();
        for (const pid of pids) signalProcess(pid, 'SIGKILL');
        return pids.length === 0;
      },
      { everyMs: 20 },
    );
    await Promise.all(namespaces.map((namespace) => run('ip', ['netns', 'delete', namespace])));
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
    try {
      rmdirSync(LABS);
    } catch {
      // There are other labs.
    }
  }

  /**
   * Runs a program within a part of the lab.
   *
   * @param {Role} role
   * @param {string} program
   * @param {readonly string[]} args
   */
  async exec(role, program, args) {
    return mustRun('ip', ['netns', 'exec', namespaceOf(this.name, role), program, ...args]);
  }

  /**
   * The addresses of the service that a node has.
   *
   * @param {NodeRole} role
   */
  async addressesOf(role) {
    const shown = await this.exec(role, 'ip', ['-o', 'address', 'show', 'dev', 'lo']);
    return [`${SERVICE.v4}/32`, `${SERVICE.v6}/128`].filter((it) => shown.includes(` ${it} `));
  }

  /** How the parts are connected. */
  get layout() {
    const { protocol, nodes } = this.options;
    return siteOf(protocol, nodes).layout ?? 'row';
  }

  /** Waits until every router has its neighbours, and knows the links to both nodes. */
  async awaitAdjacencies() {
    const { protocol, nodes } = this.options;
    // These begin to speak when their checker is started.
    const silent = siteOf(protocol, nodes).node === '' ? NODES.length : 0;
    const neighbours = 2 * ROUTERS.length - silent;
    await until(
      'the routers know each other',
      async () => {
        const counts = await Promise.all(
          ROUTERS.map((role) => this.routing[role].neighbours(protocol)),
        );
        // By IPv4 and by IPv6: r2 with the two others, and a node each with its router.
        if (counts.reduce((sum, count) => sum + count, 0) < 2 * neighbours) return false;
        for (const role of ROUTERS) {
          for (const prefix of NODE_LINKS) {
            const family = prefix.includes(':') ? '-6' : '-4';
            if ((await this.exec(role, 'ip', [family, 'route', 'show', prefix])) === '')
              return false;
          }
        }
        return true;
      },
      { timeoutMs: 60_000, everyMs: 200 },
    );
  }

  /**
   * Where the routers send the packets of clients.
   *
   * @returns {Promise<Record<'r1' | 'r2' | 'r3', { v4: string[], v6: string[] }>>} by device
   */
  async ways() {
    const { r1, r2, r3 } = this.routing;
    /** @param {Routing} router */
    const of = async (router) => ({
      v4: await router.devicesTo(`${SERVICE.v4}/32`),
      v6: await router.devicesTo(`${SERVICE.v6}/128`),
    });
    return { r1: await of(r1), r2: await of(r2), r3: await of(r3) };
  }

  /**
   * Whether all routers send the clients of both families to one node. Asks the kernel, which
   * costs the machine next to nothing, so that it can be asked while the client measures.
   *
   * @param {NodeRole} node
   */
  async allGoTo(node) {
    const want = WAYS[this.layout][node];
    for (const [index, role] of ROUTERS.entries()) {
      for (const [family, address] of [
        ['-4', SERVICE.v4],
        ['-6', SERVICE.v6],
      ]) {
        const shown = await this.exec(role, 'ip', [
          String(family),
          'route',
          'show',
          String(address),
        ]);
        const devices = [...shown.matchAll(/ dev (\S+)/g)].map(([, device]) => device);
        if (devices.sort().join(' ') !== want[index]) return false;
      }
    }
    return true;
  }

  /** @returns how many packets died in the routers because they went in circles, so far */
  async circled() {
    const died = { v4: 0, v6: 0 };
    for (const role of ROUTERS) {
      const text = await this.exec(role, 'cat', ['/proc/net/snmp', '/proc/net/snmp6']);
      // The fifth number of a line without names: InHdrErrors, where IPv4 counts a TTL that ran out.
      died.v4 += Number(/^Ip: (?:\d+ ){3}(\d+)/m.exec(text)?.[1]);
      died.v6 += Number(/^Ip6InHdrErrors\s+(\d+)/m.exec(text)?.[1]);
    }
    return died;
  }

  /** Waits until both nodes advertise and all routers go to the near one. */
  async awaitSteady(timeoutMs = 90_000) {
    await until(
      'both nodes advertise, and all go to the near one',
      async () => {
        for (const role of NODES) if ((await this.addressesOf(role)).length < 2) return false;
        return this.allGoTo('near');
      },
      { timeoutMs, everyMs: 200 },
    );
  }
}

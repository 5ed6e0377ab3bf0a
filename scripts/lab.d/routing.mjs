import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './paths.mjs';
import { mustRun, run, startDetached, until } from './processes.mjs';
import { namespaceOf } from './topology.mjs';

/** @typedef {import('./topology.mjs').Speaker} Speaker */

/**
 * The configurations that the nodes can run: those of scripts/routing, word for word.
 *
 * @type {Readonly<Record<string, string>>}
 */
export const NODE_CONFIGURATIONS = {
  redistribute: 'frr/node.conf',
  network: 'frr/node-network.conf',
  kernel: 'frr/node-kernel.conf',
  bird: 'bird/node.conf',
  bfd: 'frr/node.conf',
};

const ROUTER_CONFIGURATION = 'frr/router.conf';
const FRR = '/usr/lib/frr';
const FRR_DAEMONS = /** @type {const} */ (['zebra', 'ospfd', 'ospf6d']);

/**
 * What each one has to change in its file, as the file's head says. Nothing else is changed.
 *
 * @type {Readonly<Record<Speaker, readonly (readonly [string, string])[]>>}
 */
const OWN = {
  near: [],
  far: [
    ['198.51.100.2', '198.51.100.6'],
    ['198.51.100.0/30', '198.51.100.4/30'],
  ],
  r1: [],
  r2: [['10.0.0.1', '10.0.0.2']],
  r3: [
    ['10.0.0.1', '10.0.0.3'],
    ['! ip ospf cost 100', ' ip ospf cost 100'],
    ['! ipv6 ospf6 cost 100', ' ipv6 ospf6 cost 100'],
  ],
};

/**
 * What a configuration of nodes has them and their routers change as well, where the files say so.
 *
 * @type {Readonly<Record<string, readonly (readonly [string, string])[]>>}
 */
const VARIANTS = {
  bird: [['\n ipv6 ospf6 authentication', '\n! ipv6 ospf6 authentication']],
  bfd: [
    ['! ip ospf bfd', ' ip ospf bfd'],
    ['! ipv6 ospf6 bfd', ' ipv6 ospf6 bfd'],
  ],
};

/** A routing speaker of a lab. */
export class Routing {
  /**
   * @param {string} lab its name
   * @param {string} folder the lab's folder
   * @param {Speaker} role
   */
  constructor(lab, folder, role) {
    this.role = role;
    this.folder = path.join(folder, role, 'routing');
    this.namespace = namespaceOf(lab, role);
    /** @type {Map<string, number>} */
    this.pids = new Map();
  }

  /**
   * Starts the daemons and gives them their configuration.
   *
   * @param {string} nodeConfiguration one of NODE_CONFIGURATIONS; routers have their own
   * @throws {Error} when a daemon does not start or refuses a line
   */
  async start(nodeConfiguration) {
    mkdirSync(this.folder, { recursive: true });
    const isNode = this.role === 'near' || this.role === 'far';
    const name = isNode ? NODE_CONFIGURATIONS[nodeConfiguration] : ROUTER_CONFIGURATION;
    if (name === undefined) throw new Error(`there is no configuration '${nodeConfiguration}'`);
    const file = path.join(this.folder, path.basename(name));
    writeFileSync(file, this.#adapted(name, VARIANTS[nodeConfiguration] ?? []), { mode: 0o644 });
    if (isNode && nodeConfiguration === 'bird') {
      await this.#startBird(file);
      return;
    }
    await this.#startFrr(nodeConfiguration === 'bfd' ? [...FRR_DAEMONS, 'bfdd'] : FRR_DAEMONS);
    await this.#load(file);
  }

  /**
   * Changes the SPF timers while the daemons run.
   *
   * @param {string} timers delay, hold time and longest hold time in ms, or '' for FRR's own
   */
  async setSpfTimers(timers) {
    const throttle = timers === '' ? 'no timers throttle spf' : `timers throttle spf ${timers}`;
    await this.configure(['router ospf', throttle, 'exit', 'router ospf6', throttle]);
  }

  /**
   * Enters lines of configuration.
   *
   * @param {readonly string[]} lines
   * @throws {Error} when one is refused
   */
  async configure(lines) {
    const said = await this.vtysh('configure terminal', ...lines);
    if (said.trim() !== '') throw new Error(`${this.role}: ${said.trim()}`);
  }

  /**
   * Runs commands of vtysh.
   *
   * @param {readonly string[]} commands
   * @returns {Promise<string>} what it printed
   */
  async vtysh(...commands) {
    const lines = commands.flatMap((command) => ['-c', command]);
    return mustRun('vtysh', [...this.#vtyshOptions(), ...lines]);
  }

  /**
   * Runs a command of vtysh that prints JSON.
   *
   * @param {string} command without the `json`
   * @returns {Promise<unknown>}
   */
  async json(command) {
    return JSON.parse(await this.vtysh(`${command} json`));
  }

  /**
   * The devices through which the chosen OSPF route to a prefix leads, as zebra has it.
   *
   * @param {string} prefix a host prefix
   * @returns {Promise<string[]>} sorted; none: there is no such route
   */
  async devicesTo(prefix) {
    const command = prefix.includes(':') ? 'show ipv6 route' : 'show ip route';
    const table = /** @type {Record<string, ZebraRoute[]>} */ (
      await this.json(`${command} ${prefix}`)
    );
    const chosen = (table[prefix] ?? []).find(
      ({ selected, protocol }) => selected === true && protocol.startsWith('ospf'),
    );
    const hops = (chosen?.nexthops ?? []).filter(({ active }) => active === true);
    return hops.map(({ interfaceName }) => interfaceName).sort();
  }

  /**
   * @param {'zebra' | 'ospfd' | 'ospf6d' | 'bird'} daemon
   * @param {NodeJS.Signals} signal
   */
  signal(daemon, signal) {
    const pid = this.pids.get(daemon);
    if (pid !== undefined) process.kill(pid, signal);
  }

  /**
   * @param {string} name
   * @param {readonly (readonly [string, string])[]} variant
   */
  #adapted(name, variant) {
    let text = readFileSync(path.join(ROOT, 'scripts/routing', name), 'utf8');
    for (const [from, to] of [...OWN[this.role], ...variant]) text = text.replaceAll(from, to);
    return text;
  }

  /** @param {readonly string[]} daemons */
  async #startFrr(daemons) {
    const group = (await mustRun('getent', ['group', 'frrvty'])).split(':')[2];
    const user = (await mustRun('id', ['-u', 'frr'])).trim();
    chownSync(this.folder, Number(user), Number(group));
    writeFileSync(path.join(this.folder, 'vtysh.conf'), '');
    for (const daemon of daemons) {
      const zserv = path.join(this.folder, 'zserv.api');
      const line = [
        ...['netns', 'exec', this.namespace, path.join(FRR, daemon)],
        ...['-f', '/dev/null', '-z', zserv, '--vty_socket', this.folder],
        ...['-i', path.join(this.folder, `${daemon}.pid`), '-P', '0'],
        ...['--log', `file:${path.join(this.folder, `${daemon}.log`)}`],
        ...(daemon === 'bfdd' ? ['--bfdctl', path.join(this.folder, 'bfdd.sock')] : []),
      ];
      const log = path.join(this.folder, `${daemon}.out`);
      const pid = startDetached(log, 'ip', line);
      this.pids.set(daemon, pid);
      const socket = daemon === 'zebra' ? zserv : path.join(this.folder, `${daemon}.vty`);
      await until(`${this.role}: ${daemon}`, () => existsSync(socket), { everyMs: 20 });
    }
  }

  /** @param {string} file */
  async #load(file) {
    const { code, stdout, stderr } = await run('vtysh', [...this.#vtyshOptions(), '-f', file]);
    if (code !== 0 || /unknown command|fail|error|%/i.test(stdout + stderr)) {
      throw new Error(`${this.role}: ${path.basename(file)}: ${stdout}${stderr}`);
    }
  }

  #vtyshOptions() {
    return ['--vty_socket', this.folder, '--config_dir', this.folder];
  }

  /** @param {string} file */
  async #startBird(file) {
    const socket = path.join(this.folder, 'bird.ctl');
    const line = [
      ...['netns', 'exec', this.namespace, 'bird', '-f', '-c', file, '-s', socket],
      ...['-P', path.join(this.folder, 'bird.pid')],
    ];
    const log = path.join(this.folder, 'bird.out');
    const pid = startDetached(log, 'ip', line);
    this.pids.set('bird', pid);
    await until(`${this.role}: bird`, () => existsSync(socket), { everyMs: 20 });
  }
}

/**
 * What zebra's JSON says of a route (zebra/zebra_vty.c).
 *
 * @typedef {object} ZebraRoute
 * @property {string} protocol
 * @property {boolean} [selected]
 * @property {{ interfaceName: string, active?: boolean }[]} [nexthops]
 */

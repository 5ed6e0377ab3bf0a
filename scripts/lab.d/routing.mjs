import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './paths.mjs';
import { mustRun, run, startDetached, until } from './processes.mjs';
import { adapted } from './sites.mjs';
import { namespaceOf } from './topology.mjs';

/** @typedef {import('./topology.mjs').Speaker} Speaker */

const FRR = '/usr/lib/frr';

/** The protocols of zebra's routes that labs speak. */
const LEARNT = /^(?:ospf6?|bgp|isis)$/;

/**
 * What a neighbour is called that is ready, and the commands that show them, for each family.
 *
 * @type {Readonly<Record<import('./sites.mjs').Protocol, readonly [RegExp, ...string[]]>>}
 */
const NEIGHBOURS = {
  ospf: [/\bFull\b/g, 'show ip ospf neighbor', 'show ipv6 ospf6 neighbor'],
  bgp: [
    /"state":"Established"/g,
    'show bgp ipv4 unicast summary json',
    'show bgp ipv6 unicast summary json',
  ],
  // One neighbour for both.
  isis: [/ Up /g, 'show isis neighbor', 'show isis neighbor'],
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
   * @param {import('./sites.mjs').Site} site
   * @throws {Error} when a daemon does not start or refuses a line
   */
  async start(site) {
    const name = this.role === 'near' || this.role === 'far' ? site.node : site.router;
    if (name === '') return;
    mkdirSync(this.folder, { recursive: true });
    const file = path.join(this.folder, path.basename(name));
    const text = readFileSync(path.join(ROOT, 'scripts/routing', name), 'utf8');
    writeFileSync(file, adapted(text, site, this.role), { mode: 0o644 });
    if (name.startsWith('bird/')) {
      await this.#startBird(file);
      return;
    }
    await this.#startFrr(['zebra', ...site.daemons]);
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
   * How many neighbours a router has that are ready to exchange routes, for IPv4 and for IPv6.
   *
   * @param {import('./sites.mjs').Protocol} protocol
   */
  async neighbours(protocol) {
    const [ready, ...commands] = NEIGHBOURS[protocol];
    const shown = await this.vtysh(...commands);
    return (shown.match(ready) ?? []).length;
  }

  /**
   * The devices through which the chosen route to a prefix leads that was learnt from others, as
   * zebra has it.
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
      ({ selected, protocol }) => selected === true && LEARNT.test(protocol),
    );
    const hops = (chosen?.nexthops ?? []).filter(({ active }) => active === true);
    return hops.map(({ interfaceName }) => interfaceName).sort();
  }

  /**
   * @param {'zebra' | 'ospfd' | 'ospf6d' | 'bgpd' | 'isisd' | 'bird'} daemon
   * @param {NodeJS.Signals} signal
   */
  signal(daemon, signal) {
    const pid = this.pids.get(daemon);
    if (pid !== undefined) process.kill(pid, signal);
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

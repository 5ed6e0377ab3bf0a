import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from '../../lab.d/paths.mjs';
import {
  FIRST,
  isRunning,
  run,
  signalProcess,
  startDetached,
  until,
} from '../../lab.d/processes.mjs';
import { countOf, startClient } from './asking.mjs';
import { NODES, SERVICE } from './network.mjs';

/** @typedef {import('./network.mjs').NodeRole} NodeRole */
/** @typedef {import('./services.mjs').Service} Service */
/** @typedef {import('./asking.mjs').Count} Count */

/**
 * @typedef {object} Played
 * @property {Record<string, { calm: Count, suspend: Count, resume: Count }>} streams by transport and family
 * @property {readonly string[]} events what the kernels of the near node and the router told of the
 *   service addresses, with the ms since ha-suspend began
 * @property {Record<string, readonly string[]>} sockets of the service on the near node, before, in
 *   both halves of the drain, and behind it
 * @property {string} said what ha-suspend said
 * @property {Record<'suspend' | 'resume', readonly number[]>} reroutesMs when the router changed its
 *   way, in ms since the part began
 * @property {number} load of the machine at the beginning
 *
 * @typedef {object} Setting
 * @property {number} drainSeconds
 * @property {number} everyMs between two questions of a stream
 * @property {number} lateSeconds how long the router goes on sending to the near node, whatever it
 *   hears: 0 for a network as quick as it is
 */

const INSTANCE = 'dns';
const ANSWERS = { near: '198.51.100.201', far: '198.51.100.202' };
const PROGRAMS = ['exec-probe', 'ha-suspend', 'ha-resume'];
/** How long a client goes on when the router has changed its way, or all is over. */
const QUIET_MS = 1500;
/** How long it is watched before anything happens: what is lost then is the service's own fault. */
const CALM_MS = 4000;

/** One service on both nodes of a network whose routing runs. */
export class Play {
  /** @type {number[]} */
  #pids = [];

  /**
   * @param {import('./network.mjs').Network} network
   * @param {string} folder to work in, which is emptied
   * @param {Service} service
   */
  constructor(network, folder, service) {
    this.network = network;
    this.folder = folder;
    this.service = service;
  }

  /**
   * @param {Setting} setting
   * @returns {Promise<Played>}
   */
  async run(setting) {
    rmSync(this.folder, { recursive: true, force: true });
    mkdirSync(this.folder, { recursive: true });
    for (const name of PROGRAMS) {
      cpSync(path.join(ROOT, 'dist', name), path.join(this.folder, name));
    }
    try {
      for (const role of NODES) await this.#startService(role);
      for (const role of NODES) this.#startPasses(role);
      await until('the router prefers the near node', () => this.network.allGoTo('near'));
      return await this.#measure(setting);
    } finally {
      await this.#end();
    }
  }

  /**
   * @param {Setting} setting
   * @returns {Promise<Played>}
   */
  async #measure({ drainSeconds, everyMs, lateSeconds }) {
    const load = loadavg()[0] ?? 0;
    for (const role of /** @type {const} */ (['near', 'router'])) {
      this.#start(role, 'monitor', ['ip', '-ts', 'monitor', 'address', 'route']);
    }
    const client = startClient(this.network, this.service, everyMs);
    await client.ready;
    await sleep(QUIET_MS);
    const calmMs = Date.now();
    await sleep(CALM_MS);
    const sockets = { before: await this.#sockets() };
    if (lateSeconds > 0) await this.network.overrule('add');
    const suspendMs = Date.now();
    const suspended = this.#execute('ha-suspend', [INSTANCE, '--drain', `${drainSeconds}s`]);
    await sleep(suspendMs + drainSeconds * 250 - Date.now());
    Object.assign(sockets, { first: await this.#sockets() });
    await sleep(suspendMs + drainSeconds * 750 - Date.now());
    Object.assign(sockets, { second: await this.#sockets() });
    if (lateSeconds > 0) {
      await sleep(suspendMs + lateSeconds * 1000 - Date.now());
      await this.network.overrule('delete');
    }
    await until('the router goes to the far node', () => this.network.allGoTo('far'));
    const { stderr: said } = await suspended;
    await sleep(QUIET_MS);
    Object.assign(sockets, { after: await this.#sockets() });
    const resumeMs = Date.now();
    await this.#execute('ha-resume', [INSTANCE, '--wait', '30s']);
    await until('the router goes to the near node', () => this.network.allGoTo('near'));
    await sleep(QUIET_MS);
    const told = await client.end();
    const parts = /** @type {const} */ ([
      ['calm', calmMs, suspendMs],
      ['suspend', suspendMs, resumeMs],
      ['resume', resumeMs, Infinity],
    ]);
    const streams = Object.entries(told).map(([stream, questions]) => [
      stream.replace(',', ' ').replace(SERVICE.v4, 'v4').replace(SERVICE.v6, 'v6'),
      Object.fromEntries(
        parts.map(([part, fromMs, toMs]) => [part, countOf(questions, fromMs, toMs)]),
      ),
    ]);
    const events = this.#events(suspendMs);
    const changes = events.flatMap((it) => /^(\d+) router: (?:192|2001)/.exec(it)?.[1] ?? []);
    const backMs = resumeMs - suspendMs;
    const reroutesMs = {
      suspend: changes.map(Number).filter((ms) => ms < backMs),
      resume: changes.map((ms) => Number(ms) - backMs).filter((ms) => ms >= 0),
    };
    return { streams: Object.fromEntries(streams), events, reroutesMs, sockets, said, load };
  }

  /** @param {NodeRole} role */
  async #startService(role) {
    const folder = path.join(this.folder, role);
    mkdirSync(folder, { recursive: true });
    const site = { folder, role, answer: ANSWERS[role] };
    const command = await this.service.configure(site);
    const pid = this.#start(role, 'service', command);
    const isReady = async () => {
      if (!isRunning(pid)) throw new Error(readFileSync(this.#log(role, 'service'), 'utf8'));
      return (await this.#sockets(role)).length > 0;
    };
    await until(`${role}: ${this.service.name}`, isReady);
  }

  /** @param {NodeRole} role */
  #startPasses(role) {
    const addresses = [SERVICE.v4, SERVICE.v6].flatMap((address) => ['-a', address]);
    this.#start(role, 'passes', [
      ...[path.join(ROOT, 'scripts/lab.d/scheduler'), '1', path.join(this.folder, 'exec-probe')],
      ...['-i', INSTANCE, ...this.#stateFlags(role), ...addresses, '--', '/bin/true'],
    ]);
  }

  /** @param {NodeRole} role */
  #stateFlags(role) {
    const of = (/** @type {string} */ name) => path.join(this.folder, `${name}-${role}`);
    return ['--state-dir', of('state'), '--persist-dir', of('persistent')];
  }

  /**
   * @param {string} program
   * @param {readonly string[]} args
   */
  async #execute(program, args) {
    const command = [path.join(this.folder, program), ...this.#stateFlags('near'), ...args];
    const inside = ['netns', 'exec', this.network.namespaceOf('near')];
    const finished = await run('ip', [...inside, ...FIRST, ...command], 90_000);
    if (finished.code !== 0)
      throw new Error(`${program}: exit ${finished.code}: ${finished.stderr}`);
    return finished;
  }

  /** @param {NodeRole} [role] */
  async #sockets(role = 'near') {
    const shown = await this.network.exec(role, `ss -Hlntu sport = :${this.service.port}`);
    const lines = shown.split('\n').filter(Boolean);
    return lines.map((line) => line.trim().split(/\s+/)).map((words) => `${words[0]} ${words[4]}`);
  }

  /** @param {number} sinceMs */
  #events(sinceMs) {
    return ['near', 'router'].flatMap((role) => {
      const lines = readFileSync(this.#log(role, 'monitor'), 'utf8').split('\n');
      let atMs = 0;
      return lines.flatMap((line) => {
        const [, stamp, rest = ''] = /^\[(.*?)\]\s*(.*)$/.exec(line) ?? [];
        if (stamp !== undefined) atMs = Date.parse(stamp) - sinceMs;
        const isOurs =
          rest.includes(SERVICE.v4) ||
          rest.includes(`${SERVICE.v6} `) ||
          rest.includes(`${SERVICE.v6}/`);
        return isOurs ? [`${atMs} ${role}: ${rest.replaceAll(/\s+/g, ' ')}`] : [];
      });
    });
  }

  /**
   * @param {string} role
   * @param {string} name
   */
  #log(role, name) {
    return path.join(this.folder, `${name}-${role}.log`);
  }

  /**
   * @param {import('./network.mjs').Role} role
   * @param {string} name
   * @param {readonly string[]} command
   */
  #start(role, name, command) {
    const inside = ['netns', 'exec', this.network.namespaceOf(role), ...command];
    const pid = startDetached(this.#log(role, name), 'ip', inside);
    this.#pids.push(pid);
    return pid;
  }

  /** Ends what this play started, and takes the addresses out. */
  async #end() {
    for (const pid of this.#pids) signalProcess(-pid, 'SIGKILL');
    await until('all ends', () => !this.#pids.some(isRunning));
    for (const role of NODES) {
      for (const device of ['lo', 'ha-drain']) {
        for (const [family, address] of [
          ['-4', `${SERVICE.v4}/32`],
          ['-6', `${SERVICE.v6}/128`],
        ]) {
          const inside = ['-n', this.network.namespaceOf(role), String(family)];
          await run('ip', [...inside, 'address', 'delete', String(address), 'dev', device]);
          await run('ip', [...inside, 'route', 'flush', 'table', 'local', 'proto', '120']);
        }
      }
      await run('ip', ['-n', this.network.namespaceOf(role), '-6', 'route', 'delete', SERVICE.v6]);
    }
  }
}

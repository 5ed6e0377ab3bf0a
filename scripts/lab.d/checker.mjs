import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning, run, signalProcess, startDetached, until } from './processes.mjs';
import { namespaceOf, SERVICE } from './topology.mjs';

/**
 * What decides whether a node has the service addresses: dns-probe with a timer, a shell loop,
 * keepalived, or the healthcheck of exabgp, which also announces them.
 *
 * @typedef {'probe' | 'loop' | 'keepalived' | 'exabgp'} Method
 */
export const METHODS = /** @type {const} */ (['probe', 'loop', 'keepalived', 'exabgp']);

/** What each node is to exabgp. */
const BGP_NODES = {
  near: {
    ...{ NODE4: '198.51.100.2', NODE6: '2001:db8:ffff:1000::2', NODEAS: '65101' },
    ...{ ROUTER4: '198.51.100.1', ROUTER6: '2001:db8:ffff:1000::1', ROUTERAS: '65001' },
  },
  far: {
    ...{ NODE4: '198.51.100.6', NODE6: '2001:db8:ffff:1001::2', NODEAS: '65102' },
    ...{ ROUTER4: '198.51.100.5', ROUTER6: '2001:db8:ffff:1001::1', ROUTERAS: '65003' },
  },
};

/** Name of the instance on each node. */
export const INSTANCE = 'dns';

/** Longer than any interval and check. */
const NEXT_TICK_MS = 30_000;

export class Checker {
  /**
   * @param {string} lab
   * @param {string} folder the lab's folder
   * @param {import('./topology.mjs').NodeRole} role
   */
  constructor(lab, folder, role) {
    this.labFolder = folder;
    this.role = role;
    this.namespace = namespaceOf(lab, role);
    this.folder = path.join(folder, role, 'checker');
  }

  get #pidFile() {
    return path.join(this.folder, 'pid');
  }

  /** Written when a check begins, whatever the method. */
  get #tick() {
    return path.join(this.folder, 'tick');
  }

  get stateDir() {
    return path.join(this.folder, 'state');
  }

  /** The flags that say where an executable finds its state. */
  get stateFlags() {
    return ['--state-dir', this.stateDir, '--persist-dir', path.join(this.folder, 'persistent')];
  }

  /**
   * @param {Method} method
   * @param {number} intervalSeconds
   * @param {readonly string[]} probeOptions more options for dns-probe, or for exabgp's healthcheck
   */
  start(method, intervalSeconds, probeOptions) {
    mkdirSync(this.folder, { recursive: true });
    const interval = String(intervalSeconds);
    /** @type {Record<Method, () => string[]>} */
    const commands = {
      probe: () => [
        ...[path.join(import.meta.dirname, 'scheduler'), interval],
        ...[path.join(this.labFolder, 'bin/dns-probe'), '-i', INSTANCE, ...this.stateFlags],
        ...['-a', SERVICE.v4, '-a', SERVICE.v6, ...probeOptions],
      ],
      loop: () => [path.join(import.meta.dirname, 'shell-loop'), interval, SERVICE.v4, SERVICE.v6],
      keepalived: () => this.#keepalived(interval),
      exabgp: () => this.#exabgp(probeOptions),
    };
    this.startCommand(commands[method]());
  }

  /**
   * Starts any command as the checker.
   *
   * @param {readonly string[]} command
   */
  startCommand(command) {
    mkdirSync(this.folder, { recursive: true });
    const inside = ['netns', 'exec', this.namespace, 'env', `TICK=${this.#tick}`, ...command];
    const pid = startDetached(path.join(this.folder, 'log'), 'ip', inside);
    writeFileSync(this.#pidFile, `${pid}\n`);
  }

  get pid() {
    return Number(readFileSync(this.#pidFile, 'utf8'));
  }

  /** What it has said. */
  get log() {
    return readFileSync(path.join(this.folder, 'log'), 'utf8');
  }

  /**
   * Signals it and all that it started.
   *
   * @param {NodeJS.Signals} signal
   */
  signalGroup(signal) {
    signalProcess(-this.pid, signal);
  }

  /**
   * Signals it alone.
   *
   * @param {NodeJS.Signals} signal
   */
  signal(signal) {
    signalProcess(this.pid, signal);
  }

  /**
   * Signals what asks the service, and not what announces it where that is something else.
   *
   * @param {NodeJS.Signals} signal
   */
  async signalChecks(signal) {
    const { stdout } = await run('ip', ['netns', 'pids', this.namespace]);
    const healthchecks = stdout
      .split('\n')
      .filter((pid) => pid !== '' && commandOf(pid).includes('exabgp healthcheck'));
    if (healthchecks.length === 0) this.signalGroup(signal);
    for (const pid of healthchecks) signalProcess(Number(pid), signal);
  }

  /** A file that has exabgp's healthcheck take the service out. */
  get disableFile() {
    return path.join(this.folder, 'disable');
  }

  /** Kills it; what it has advertised stays. */
  async kill() {
    const { pid } = this;
    this.signalGroup('SIGKILL');
    await until(`${this.role}: checker ends`, () => !isRunning(pid), { everyMs: 20 });
  }

  /** Kills it, and forgets all it knew. */
  async remove() {
    await this.kill();
    rmSync(this.folder, { recursive: true });
  }

  /** Waits until it begins its next check. */
  async nextTick() {
    const began = () => statSync(this.#tick).mtimeMs;
    const last = began();
    const end = performance.now() + NEXT_TICK_MS;
    while (began() === last) {
      if (performance.now() > end) throw new Error(`${this.role}: no check for ${NEXT_TICK_MS} ms`);
      await sleep(2);
    }
  }

  /**
   * Runs one of the executables against this node.
   *
   * @param {string} name
   * @param {readonly string[]} args those behind `--` too
   * @param {number} [timeoutMs]
   */
  async execute(name, args, timeoutMs = 120_000) {
    const program = path.join(this.labFolder, 'bin', name);
    // Flags come before `--` and what is behind it.
    const line = [program, ...this.stateFlags, ...args];
    return run('ip', ['netns', 'exec', this.namespace, ...line], timeoutMs);
  }

  /** @param {string} interval */
  #keepalived(interval) {
    const file = path.join(this.folder, 'keepalived.conf');
    const template = readFileSync(path.join(import.meta.dirname, 'keepalived.conf'), 'utf8');
    const text = template.replaceAll('INTERVAL', interval).replaceAll('TICK', this.#tick);
    writeFileSync(file, text);
    const [own, vrrp] = ['keepalived', 'vrrp'].map((name) => path.join(this.folder, `${name}.pid`));
    return ['keepalived', '-n', '-l', '-P', '-f', file, '-p', own ?? '', '-r', vrrp ?? ''];
  }

  /** @param {readonly string[]} options */
  #exabgp(options) {
    const file = path.join(this.folder, 'exabgp.conf');
    const template = readFileSync(path.join(import.meta.dirname, 'exabgp.conf'), 'utf8');
    const words = options.map((option) => (option.includes(' ') ? `"${option}"` : option));
    const values = {
      ...{ TICK: this.#tick, DISABLE: this.disableFile, OPTIONS: words.join(' ') },
      ...BGP_NODES[this.role],
    };
    const text = Object.entries(values).reduce(
      (changed, [name, value]) => changed.replaceAll(new RegExp(`\\b${name}\\b`, 'g'), value),
      template,
    );
    writeFileSync(file, text);
    const settings = ['daemon.user=root', 'daemon.drop=false', 'api.cli=false'];
    return ['env', ...settings.map((setting) => `exabgp.${setting}`), 'exabgp', file];
  }
}

/** @param {string} pid */
function commandOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    // It has ended.
    return '';
  }
}

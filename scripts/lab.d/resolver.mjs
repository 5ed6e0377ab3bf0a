import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { isRunning, mustRun, run, signalProcess, startDetached, until } from './processes.mjs';
import { namespaceOf } from './topology.mjs';

/** Unbound on a node. What is known of it is in files, so that any process can go on with it. */
export class Resolver {
  /**
   * @param {string} lab
   * @param {string} folder the lab's folder
   * @param {import('./topology.mjs').NodeRole} role
   */
  constructor(lab, folder, role) {
    this.role = role;
    this.namespace = namespaceOf(lab, role);
    this.folder = path.join(folder, role, 'unbound');
  }

  get #configuration() {
    return path.join(this.folder, 'unbound.conf');
  }

  /** The file with the pid of the daemon that was started last. */
  get #pidFile() {
    return path.join(this.folder, 'pid');
  }

  get pid() {
    return Number(readFileSync(this.#pidFile, 'utf8'));
  }

  /** Starts it and waits until it answers. */
  async start() {
    mkdirSync(this.folder, { recursive: true });
    const template = readFileSync(path.join(import.meta.dirname, 'unbound.conf'), 'utf8');
    const text = template.replaceAll('FOLDER', this.folder).replaceAll('NODE', this.role);
    writeFileSync(this.#configuration, text);
    const pid = startDetached(path.join(this.folder, 'log'), 'ip', [
      ...['netns', 'exec', this.namespace, 'unbound', '-d', '-c', this.#configuration],
    ]);
    writeFileSync(this.#pidFile, `${pid}\n`);
    await until(`${this.role}: unbound`, () => this.answers(), { everyMs: 50 });
  }

  async answers() {
    const question = ['-W', '1', '-t', 'SOA', '.', '127.0.0.1'];
    const { code } = await run('ip', ['netns', 'exec', this.namespace, 'host', ...question]);
    return code === 0;
  }

  /** @param {NodeJS.Signals} signal */
  signal(signal) {
    signalProcess(this.pid, signal);
  }

  /** Ends it as an init script does, and waits until it is gone. */
  async stop() {
    if (!existsSync(this.#pidFile)) return;
    const { pid } = this;
    signalProcess(pid, 'SIGTERM');
    await until(`${this.role}: unbound ends`, () => !isRunning(pid), { everyMs: 20 });
  }

  /** From now on it answers SERVFAIL to all. A restart mends it. */
  async servfail() {
    const names = ['.', 'node.lab.'].map((name) => ['local_data_remove', name]);
    for (const words of [...names, ['local_zone_remove', '.']]) {
      await mustRun('unbound-control', ['-c', this.#configuration, ...words]);
    }
  }
}

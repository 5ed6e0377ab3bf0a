import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { parseState, type InstanceState } from '../../src/lib/state/instance-state.ts';
import type { Child, Finished } from './child.ts';
import { Daemon } from './daemon.ts';
import { ROOT, run, start, type RunOptions } from './executable.ts';
import { Namespace } from './namespace.ts';
import { listens } from './service-daemons.ts';
import { createTemporaryFolder, removeTemporaryFolder } from './temporary-folder.ts';

/** A node with a name server in a namespace of its own, where a probe keeps service addresses. */
export class DnsSite {
  readonly namespace: Namespace;
  readonly folder: string;
  /** Where its probes keep their state. */
  readonly stateDir: string;
  readonly server: Daemon;

  private constructor(namespace: Namespace, folder: string, server: Daemon) {
    this.namespace = namespace;
    this.folder = folder;
    this.stateDir = path.join(folder, 'state');
    this.server = server;
  }

  /**
   * @param startServer starts its name server; by default one that answers on 127.0.0.1 and ::1 alone
   */
  static async create(startServer: StartServer = startResponder): Promise<DnsSite> {
    const namespace = await Namespace.create();
    const folder = createTemporaryFolder();
    return new DnsSite(namespace, folder, await startServer(namespace, folder));
  }

  async dispose(): Promise<void> {
    await this.namespace.dispose();
    removeTemporaryFolder(this.folder);
  }

  /** Runs a pass of `dns-probe` to its end. */
  probe(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return run('dns-probe', this.args(args), { namespace: this.namespace, ...options });
  }

  /** Starts a pass of `dns-probe`. */
  startProbe(args: readonly string[], options: RunOptions = {}): Promise<Child> {
    return start('dns-probe', this.args(args), { namespace: this.namespace, ...options });
  }

  /** Makes passes until the addresses are advertised. Throws Error when that does not happen. */
  async advertise(args: readonly string[]): Promise<void> {
    const all = [...args, '--rise', '1'];
    const { exitCode, stderr } = await this.probe(all);
    if (exitCode !== 0) throw new Error(`exit ${String(exitCode)}: ${stderr}`);
  }

  /** The arguments with the folders of this site. */
  args(args: readonly string[]): readonly string[] {
    const persistDir = path.join(this.folder, 'persist');
    return ['--state-dir', this.stateDir, '--persist-dir', persistDir, ...args];
  }

  statePath(instance = 'dns-probe'): string {
    return path.join(this.stateDir, `${instance}.json`);
  }

  /** The state that the last pass left. Throws Error when there is none that is sound. */
  state(instance = 'dns-probe'): InstanceState {
    const state = parseState(readFileSync(this.statePath(instance), 'utf8'));
    if (typeof state === 'string') throw new Error(`the state is ${state}`);
    return state;
  }

  /**
   * The files of the state folder, without the folders in it, and without the file that takes an
   * instance out where that stands beside its state, as it always does.
   */
  stateFiles(): readonly string[] {
    if (!existsSync(this.stateDir)) return [];
    const names = readdirSync(this.stateDir, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map(({ name }) => name);
    const states = names.filter((name) => name.endsWith('.json'));
    const beside = new Set(states.map((name) => name.replace(/\.json$/, '.withdraw')));
    return names.filter((name) => !beside.has(name)).sort();
  }

  /** The addresses on the drain interface, with the seconds that the kernel keeps them there. */
  async moved(): Promise<Readonly<Record<string, number>>> {
    const shown = await this.namespace.exec('ip', ['-json', 'addr', 'show', 'dev', 'ha-drain']);
    if (shown.exitCode !== 0) return {};
    const [device] = JSON.parse(shown.stdout) as { addr_info: KernelAddress[] }[];
    return Object.fromEntries(
      (device?.addr_info ?? []).map((info) => [info.local, info.valid_life_time]),
    );
  }

  /** The addresses that are answered through a local route now. */
  async drained(): Promise<readonly string[]> {
    const shown = await Promise.all(
      ['-4', '-6'].map((family) =>
        this.namespace.ip(`${family} route show table local proto 120 metric 1`),
      ),
    );
    return shown
      .join('')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(' ')[1] ?? line);
  }
}

interface KernelAddress {
  readonly local: string;
  readonly valid_life_time: number;
}

type StartServer = (namespace: Namespace, folder: string) => Promise<Daemon>;

function startResponder(namespace: Namespace): Promise<Daemon> {
  return Daemon.start({
    namespace,
    program: process.execPath,
    args: [path.join(ROOT, 'test/support/dns-responder.mjs'), '127.0.0.1', '::1'],
    ready: () => listens(namespace, '127.0.0.1:53', '[::1]:53'),
  });
}

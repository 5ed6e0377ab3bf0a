import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Child, Finished } from './child.ts';
import { ROOT, run, type RunOptions } from './executable.ts';
import { Namespace } from './namespace.ts';
import { createTemporaryFolder, removeTemporaryFolder } from './temporary-folder.ts';
import { until } from './until.ts';

/** A route of the node, as `ip -json` prints it. */
export interface ShownRoute {
  readonly dst: string;
  readonly dev?: string;
  readonly gateway?: string;
  readonly protocol: string;
  readonly metric?: number;
  readonly table?: string;
  readonly prefsrc?: string;
  readonly expires?: number;
  readonly nexthops?: readonly { readonly gateway?: string }[];
}

/**
 * A node and a far host in namespaces of their own, joined by a veth pair whose end on the node is
 * `bond0`, as a bond is called. The node reaches everything through it; the far host has the
 * addresses that are asked for on that link.
 */
export class RouteSite {
  readonly node: Namespace;
  readonly far: Namespace;
  readonly folder: string;
  readonly #listeners: Child[] = [];

  private constructor(node: Namespace, far: Namespace) {
    this.node = node;
    this.far = far;
    this.folder = createTemporaryFolder();
  }

  static async create(addresses: readonly string[]): Promise<RouteSite> {
    const [node, far] = [await Namespace.create(), await Namespace.create()];
    const site = new RouteSite(node, far);
    await node.ip(`link add bond0 type veth peer name far0 netns ${far.name}`);
    await node.ip('address add 198.18.0.1/30 dev bond0');
    await node.ip('address add 2001:db8:f::1/64 dev bond0 nodad');
    await far.ip('address add 198.18.0.2/30 dev far0');
    await far.ip('address add 2001:db8:f::2/64 dev far0 nodad');
    await far.ip('link set far0 up');
    await node.ip('link set bond0 up');
    await site.addWayOut();
    for (const address of addresses) {
      await far.ip(`address add ${address} dev far0${address.includes(':') ? ' nodad' : ''}`);
    }
    return site;
  }

  /** The routes that lead the node's handshakes out, whether or not there is a host route. */
  async addWayOut(): Promise<void> {
    await this.node.ip('route replace default via 198.18.0.2 dev bond0');
    await this.node.ip('-6 route replace default via 2001:db8:f::2 dev bond0');
  }

  /** Listens on ports of the far host; `25!` greets. */
  async listen(...ports: readonly string[]): Promise<Child> {
    const script = path.join(ROOT, 'test/support/tcp-listeners.mjs');
    const child = await this.far.spawn(process.execPath, [script, ...ports], {
      timeoutMs: 120_000,
    });
    this.#listeners.push(child);
    await until('listeners', () => child.output.includes('ready\n'));
    return child;
  }

  /** The far host drops what comes for a port, as a packet filter does. */
  async filter(port: number): Promise<void> {
    const rules = `table inet f { chain input { type filter hook input priority 0; tcp dport ${port} drop; }; };`;
    const { exitCode, stderr } = await this.far.exec('nft', ['-f', '-'], { input: rules });
    if (exitCode !== 0) throw new Error(stderr);
  }

  /** One run of the executable on the node, with a state folder of the site's own. */
  probe(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return this.run('tcp-route-probe', args, options);
  }

  run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    const folders = ['--state-dir', this.stateDir, '--persist-dir', `${this.folder}/persist`];
    return run(program, [...folders, ...args], { namespace: this.node, ...options });
  }

  get stateDir(): string {
    return `${this.folder}/state`;
  }

  /** Writes configuration files into a folder, and returns its path. */
  configure(files: Readonly<Record<string, string>>): string {
    const folder = `${this.folder}/conf`;
    mkdirSync(folder, { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(`${folder}/${name}`, text);
    return folder;
  }

  /** The host routes to an address, in every table, without the kernel's own. */
  async routes(address: string): Promise<readonly ShownRoute[]> {
    const family = address.includes(':') ? '-6' : '-4';
    const shown = await this.node.ip(`-json ${family} route show table all exact ${address}`);
    return shown.trim() === '' ? [] : (JSON.parse(shown) as ShownRoute[]);
  }

  async dispose(): Promise<void> {
    await Promise.all([this.node.dispose(), this.far.dispose()]);
    removeTemporaryFolder(this.folder);
  }
}

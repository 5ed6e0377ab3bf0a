import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { Child, runCommand, type ChildOptions, type Finished } from './child.ts';

/** An address as the kernel has it. */
export interface KernelAddress {
  readonly family: 4 | 6;
  readonly address: string;
  readonly prefixLength: number;
  readonly label: string | undefined;
  readonly scope: string;
  /** The lease: seconds until the kernel removes it, undefined for one that stays. */
  readonly validSeconds: number | undefined;
  /** Seconds until it is no source address any more, undefined for never. */
  readonly preferredSeconds: number | undefined;
  /** `deprecated`, `tentative`, `noprefixroute` … */
  readonly flags: readonly string[];
}

/** What `ip -j address` prints of one address (iproute2, ip/ipaddress.c). */
interface PrintedAddress {
  readonly family: string;
  readonly local: string;
  readonly prefixlen: number;
  readonly label?: string;
  readonly scope: string;
  readonly valid_life_time: number;
  readonly preferred_life_time: number;
}

const FOREVER = 4_294_967_295;
const FLAGS = ['deprecated', 'dynamic', 'mngtmpaddr', 'nodad', 'noprefixroute', 'tentative'];

let created = 0;

/**
 * A network namespace of the test's own, with `lo` up. Addresses and routes are only ever
 * changed within one: on the machine's own `lo` a service address can cut the machine off.
 */
export class Namespace {
  readonly name: string;
  readonly #children: Child[] = [];

  private constructor(name: string) {
    this.name = name;
  }

  /** @throws Error without root's rights, or when the namespace is not one of its own */
  static async create(): Promise<Namespace> {
    created += 1;
    const namespace = new Namespace(`aha-${process.pid}-${created}`);
    const made = await runCommand('ip', ['netns', 'add', namespace.name]);
    if (made.exitCode !== 0) {
      throw new Error(`network namespaces need root's rights and iproute2: ${made.stderr}`);
    }
    const own = readlinkSync('/proc/self/ns/net');
    const inside = await namespace.exec('readlink', ['/proc/self/ns/net']);
    if (
      inside.exitCode !== 0 ||
      !inside.stdout.startsWith('net:') ||
      inside.stdout.trim() === own
    ) {
      throw new Error(`'${namespace.name}' is not a namespace of its own: ${inside.stderr}`);
    }
    await namespace.ip('link set lo up');
    return namespace;
  }

  /** Removes the namespaces of test processes that did not live to remove theirs. */
  static async sweep(): Promise<void> {
    if (!existsSync('/run/netns')) return;
    for (const name of readdirSync('/run/netns')) {
      const pid = /^aha-(\d+)-\d+$/.exec(name)?.[1];
      if (pid !== undefined && !existsSync(`/proc/${pid}`)) await new Namespace(name).dispose();
    }
  }

  /** The program and the arguments that run a command inside. `/sys` is the namespace's there. */
  command(program: string, args: readonly string[]): readonly [string, readonly string[]] {
    return ['ip', ['netns', 'exec', this.name, program, ...args]];
  }

  /** Runs a command inside to its end, without a shell. */
  async exec(
    program: string,
    args: readonly string[] = [],
    options: ChildOptions = {},
  ): Promise<Finished> {
    return (await this.spawn(program, args, options)).finished;
  }

  /** Starts a command inside. Its pid is the command's own: `ip netns exec` becomes it. */
  async spawn(
    program: string,
    args: readonly string[] = [],
    options: ChildOptions = {},
  ): Promise<Child> {
    const child = await Child.start(...this.command(program, args), options);
    this.#children.push(child);
    return child;
  }

  /**
   * Runs `ip` inside: `await namespace.ip('address add 192.0.2.1/32 dev lo')`.
   *
   * @param line its arguments, separated by spaces
   * @returns its stdout
   * @throws Error when it fails
   */
  async ip(line: string): Promise<string> {
    const { exitCode, stdout, stderr } = await this.exec('ip', line.split(/\s+/));
    if (exitCode !== 0) throw new Error(`ip ${line}: ${stderr.trim()}`);
    return stdout;
  }

  /** All addresses of an interface, 127.0.0.1 and ::1 too. */
  async addresses(device = 'lo'): Promise<KernelAddress[]> {
    const printed = JSON.parse(await this.ip(`-j address show dev ${device}`)) as readonly {
      readonly addr_info?: readonly (PrintedAddress & Readonly<Record<string, unknown>>)[];
    }[];
    return printed.flatMap((link) =>
      (link.addr_info ?? []).map((info) => ({
        family: info.family === 'inet' ? 4 : 6,
        address: info.local,
        prefixLength: info.prefixlen,
        label: info.label,
        scope: info.scope,
        validSeconds: info.valid_life_time === FOREVER ? undefined : info.valid_life_time,
        preferredSeconds:
          info.preferred_life_time === FOREVER ? undefined : info.preferred_life_time,
        flags: FLAGS.filter((flag) => info[flag] === true),
      })),
    );
  }

  /** The addresses on `lo` that the kernel has not put there itself, as `ADDR/LENGTH`, sorted. */
  async serviceAddresses(): Promise<string[]> {
    return (await this.addresses())
      .map(({ address, prefixLength }) => `${address}/${prefixLength}`)
      .filter((prefix) => prefix !== '127.0.0.1/8' && prefix !== '::1/128')
      .sort();
  }

  /** Ends everything that runs inside, and removes the namespace. */
  async dispose(): Promise<void> {
    for (const child of this.#children) child.signal('SIGKILL');
    const pids = await runCommand('ip', ['netns', 'pids', this.name]);
    for (const pid of pids.stdout.split('\n').filter((line) => line !== '')) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // Gone in between.
      }
    }
    await Promise.all(this.#children.map((child) => child.finished));
    await runCommand('ip', ['netns', 'delete', this.name]);
  }
}

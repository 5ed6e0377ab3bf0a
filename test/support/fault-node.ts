import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
} from 'node:fs';
import path from 'node:path';
import { parseState } from '../../src/lib/state/instance-state.ts';
import type { Finished } from './child.ts';
import { executablePath, ROOT, run, type RunOptions } from './executable.ts';
import { Namespace } from './namespace.ts';
import { createTemporaryFolder, removeTemporaryFolder } from './temporary-folder.ts';
import { until } from './until.ts';

export const ADDRESS = '192.0.2.1';
const BYSTANDER = '198.51.100.77';
const LIFETIMES = 'valid_lft 300 preferred_lft 300';
const DRAIN_ROUTE = 'dev lo table local proto 120 metric 1';
const PROGRAMS = [
  ...['dns-probe', 'exec-probe', 'syslog-probe', 'tcp-route-probe'],
  ...['ha-suspend', 'ha-resume', 'ha-status'],
];

/** A system call of the main thread of a traced process. */
export interface SystemCall {
  readonly name: string;
  /** Which one of that name it was in this thread, from 1: what strace counts by. */
  readonly occurrence: number;
  /** The line that strace wrote, without the pid. */
  readonly text: string;
}

/** How long a snapshot may stand in for the run that led to it: no lease is due in that time. */
const SNAPSHOT_MS = 60_000;

/** A run with a fault in it. */
export interface FaultyRun extends Finished {
  /** The calls that the fault hit, or the processes that it ended, as strace shows them. */
  readonly hits: readonly string[];
}

/**
 * A node of its own for faults: a network namespace with a name server, and copies of the
 * executables, which stay the same while others build.
 */
export class FaultNode {
  readonly namespace: Namespace;
  readonly folder: string;
  #snapshot: { readonly of: string; readonly untilMs: number; readonly advertised: boolean } = {
    of: '',
    untilMs: 0,
    advertised: false,
  };

  private constructor(namespace: Namespace, folder: string) {
    this.namespace = namespace;
    this.folder = folder;
  }

  static async create(): Promise<FaultNode> {
    const namespace = await Namespace.create();
    const folder = createTemporaryFolder();
    mkdirSync(path.join(folder, 'bin'));
    for (const name of PROGRAMS) {
      copyFileSync(executablePath(name), path.join(folder, 'bin', name));
    }
    const file = path.join(ROOT, 'test/support/dns-responder.mjs');
    const responder = await namespace.spawn(process.execPath, [file, '127.0.0.1'], {
      timeoutMs: 4 * 3_600_000,
    });
    await until('the name server is ready', () => responder.output.includes('ready'));
    await namespace.ip(`address add ${BYSTANDER}/32 dev lo`);
    return new FaultNode(namespace, folder);
  }

  async dispose(): Promise<void> {
    await this.namespace.dispose();
    removeTemporaryFolder(this.folder);
  }

  get stateDir(): string {
    return path.join(this.folder, 'state');
  }

  get statePath(): string {
    return path.join(this.stateDir, 'dns-probe.json');
  }

  program(name: string): string {
    return path.join(this.folder, 'bin', name);
  }

  /** The arguments of a pass over a service that works, or that refuses every question. */
  passArgs(service: 'works' | 'fails', extra: readonly string[] = []): readonly string[] {
    const port = service === 'works' ? 53 : 54;
    const decision = ['--rise', '1', '--fall', '1', '--retry-delay', '10ms'];
    return [
      ...this.folderArgs(),
      ...['-a', ADDRESS, '--server', `127.0.0.1:${port}`],
      ...decision,
      ...extra,
    ];
  }

  folderArgs(): readonly string[] {
    return ['--state-dir', this.stateDir, '--persist-dir', path.join(this.folder, 'persist')];
  }

  /** Runs one of the executables to its end, within the node. */
  run(name: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return run(this.program(name), args, { namespace: this.namespace, ...options });
  }

  pass(service: 'works' | 'fails', extra: readonly string[] = []): Promise<Finished> {
    return this.run('dns-probe', this.passArgs(service, extra));
  }

  /**
   * Brings the node to where some runs lead: by these runs, or, for a minute after them, by putting
   * files and address back as they left them, which costs no start of Node.
   *
   * @param of what it leads to; the same name means the same runs
   */
  async lead(of: string, runs: () => Promise<unknown>): Promise<void> {
    const saved = path.join(this.folder, 'saved');
    const kept = this.#snapshot;
    if (kept.of === of && performance.now() < kept.untilMs) {
      this.#copyFiles(saved, this.folder);
      if (kept.advertised)
        await this.namespace.ip(`address replace ${ADDRESS}/32 dev lo ${LIFETIMES}`);
      else if (await this.advertised()) await this.namespace.ip(`address del ${ADDRESS}/32 dev lo`);
      if (await this.drained()) await this.namespace.ip('-4 route flush table local proto 120');
      if ((await this.moved()).length > 0) await this.namespace.ip('address flush dev ha-drain');
      return;
    }
    await runs();
    this.#copyFiles(this.folder, saved);
    const untilMs = performance.now() + SNAPSHOT_MS;
    this.#snapshot = { of, untilMs, advertised: await this.advertised() };
  }

  #copyFiles(from: string, to: string): void {
    for (const name of ['state', 'persist']) {
      rmSync(path.join(to, name), { recursive: true, force: true });
      if (!existsSync(path.join(from, name))) continue;
      cpSync(path.join(from, name), path.join(to, name), {
        recursive: true,
        verbatimSymlinks: true,
      });
    }
  }

  async advertised(): Promise<boolean> {
    return (await this.namespace.addresses()).some(({ address }) => address === ADDRESS);
  }

  /**
   * What systemd would leave, should the service end in this moment: the file that takes the instance
   * out must leave nothing of it advertised, and all else. What is there is put back afterwards.
   */
  async brokenWithdrawal(givesUp = false): Promise<readonly string[]> {
    const file = path.join(this.stateDir, 'dns-probe.withdraw');
    const [advertised, drained] = [await this.advertised(), await this.drained()];
    const moved = (await this.moved()).length > 0;
    const before = await this.#ofOthers();
    await this.namespace.exec('/sbin/ip', ['-force', '-batch', file]);
    const isDrained = (await this.drained()) || (await this.moved()).length > 0;
    const stays = (await this.advertised()) || (isDrained && !givesUp);
    const isWhole = (await this.#ofOthers()) === before;
    if (advertised) {
      await this.namespace.ip(`address replace ${ADDRESS}/32 dev lo ${LIFETIMES}`);
    }
    if (moved) {
      await this.namespace.ip(
        `address replace ${ADDRESS}/32 dev ha-drain valid_lft 1 preferred_lft 1`,
      );
    }
    if (drained) await this.namespace.ip(`route replace local ${ADDRESS} ${DRAIN_ROUTE}`);
    return [
      ...(stays ? ['INSTANCE.withdraw leaves it advertised'] : []),
      ...(isWhole ? [] : ['INSTANCE.withdraw takes out what is not its own']),
    ];
  }

  /** The addresses and routes that are not the instance's. */
  async #ofOthers(): Promise<string> {
    const shown = await Promise.all(
      ['-o address show', 'route show table all'].map((line) => this.namespace.ip(line)),
    );
    const lines = shown.join('').split('\n');
    return lines.filter((line) => !line.includes(ADDRESS)).join('\n');
  }

  async drained(): Promise<boolean> {
    return (await this.namespace.ip('-4 route show table local proto 120')) !== '';
  }

  /** What is on the drain interface. */
  async moved(): ReturnType<Namespace['addresses']> {
    const shown = await this.namespace.exec('ip', ['link', 'show', 'dev', 'ha-drain']);
    return shown.exitCode === 0 ? this.namespace.addresses('ha-drain') : [];
  }

  /**
   * What must not be, whatever was killed: an address that nobody would take off the drain interface,
   * or one that is on both interfaces.
   *
   * @param seconds that it may have there at most
   */
  async misplaced(seconds: number): Promise<readonly string[]> {
    const onLo = new Set((await this.namespace.addresses()).map(({ address }) => address));
    return (await this.moved()).flatMap(({ address, validSeconds = Infinity }) => [
      ...(validSeconds > seconds ? [`${address} stays on ha-drain for ${validSeconds} s`] : []),
      ...(onLo.has(address) ? [`${address} is on both interfaces`] : []),
    ]);
  }

  suspended(): boolean {
    const folder = path.join(this.stateDir, 'suspensions');
    return existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.json'));
  }

  /** What a run should never leave behind: locks, temporary files, state that cannot be read. */
  remains(): readonly string[] {
    if (!existsSync(this.stateDir)) return [];
    const names = readdirSync(this.stateDir, { recursive: true, encoding: 'utf8' });
    const left = names.filter((name) => /\.lock$|\.tmp$/.test(name)).map((name) => `left ${name}`);
    return [...left, ...this.unreadableState()];
  }

  unreadableState(): readonly string[] {
    if (!existsSync(this.statePath)) return [];
    const state = parseState(readFileSync(this.statePath, 'utf8'));
    return typeof state === 'string' ? [`the state is ${state}`] : [];
  }

  /**
   * Traces a run and returns the system calls of its main thread, from the first one that has to
   * do with the state on: what precedes it is the start of Node.
   */
  async trace(name: string, args: readonly string[]): Promise<readonly SystemCall[]> {
    const file = path.join(this.folder, 'trace');
    await run('/usr/bin/strace', ['-f', '-o', file, this.program(name), ...args], {
      namespace: this.namespace,
      timeoutMs: 60_000,
    });
    return callsOfMainThread(readFileSync(file, 'utf8'), this.stateDir);
  }

  /**
   * Runs an executable with a fault: `rename:error=EIO:when=1`, `write:signal=KILL:when=3`.
   *
   * @param only the one file that the fault is about
   */
  async inject(
    name: string,
    args: readonly string[],
    fault: string,
    only?: string,
  ): Promise<FaultyRun> {
    const file = path.join(this.folder, 'faults');
    const call = fault.slice(0, fault.indexOf(':'));
    // strace delivers no signal at a call that it filters in the kernel, nor does it know paths there.
    const filter = fault.includes(':signal=') || only !== undefined ? [] : ['--seccomp-bpf'];
    const paths = only === undefined ? [] : ['-P', only];
    const tracing = ['-f', ...filter, ...paths, '-o', file, '-e', `trace=${call}`];
    const finished = await run(
      '/usr/bin/strace',
      [...tracing, '-e', `inject=${fault}`, this.program(name), ...args],
      { namespace: this.namespace, timeoutMs: 60_000 },
    );
    const lines = readFileSync(file, 'utf8').split('\n');
    const isHit = (line: string): boolean => /\(INJECTED\)|killed by SIGKILL/.test(line);
    return { ...finished, hits: lines.filter(isHit) };
  }
}

function callsOfMainThread(trace: string, stateDir: string): readonly SystemCall[] {
  const lines = trace.split('\n');
  const pid = lines[0]?.split(' ')[0] ?? '';
  const seen = new Map<string, number>();
  const calls: SystemCall[] = [];
  let ours = false;
  for (const line of lines) {
    const found = /^(\d+) +(\w+)\(/.exec(line);
    const name = found?.[2];
    if (found?.[1] !== pid || name === undefined) continue;
    const occurrence = (seen.get(name) ?? 0) + 1;
    seen.set(name, occurrence);
    if (name !== 'execve' && line.includes(stateDir)) ours = true;
    if (ours) calls.push({ name, occurrence, text: line.slice(pid.length).trim() });
  }
  return calls;
}

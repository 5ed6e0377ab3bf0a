import { spawn, type ChildProcess } from 'node:child_process';

/** How a process ended, and all that it said. */
export interface Finished {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ChildOptions {
  /** The whole environment; by default that of the tests. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** What it reads on stdin; nothing by default. */
  readonly input?: string;
  /** A process that lives longer is killed, and its end then shows SIGKILL. Default 40 s. */
  readonly timeoutMs?: number;
  /** Whether it leads a process group of its own, which `signal` then reaches as a whole. */
  readonly group?: boolean;
}

/** A process that the tests started, from its start to its end. */
export class Child {
  readonly pid: number;
  /** Settles when it has ended and its output is complete. */
  readonly finished: Promise<Finished>;
  readonly #process: ChildProcess;
  readonly #group: boolean;
  #output = '';

  private constructor(child: ChildProcess, pid: number, group: boolean, timeoutMs: number) {
    this.#process = child;
    this.#group = group;
    this.pid = pid;
    const timer = setTimeout(() => {
      this.signal('SIGKILL');
    }, timeoutMs);
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
        said[name] += chunk;
        this.#output += chunk;
      });
    }
    this.finished = new Promise((resolve) => {
      child.once('close', (exitCode, signal) => {
        clearTimeout(timer);
        resolve({ exitCode, signal, ...said });
      });
    });
  }

  /**
   * Starts a program, without a shell.
   *
   * @throws Error when it cannot be started
   */
  static async start(
    program: string,
    args: readonly string[],
    options: ChildOptions = {},
  ): Promise<Child> {
    const group = options.group ?? false;
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      detached: group,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdin.on('error', () => {
      // EPIPE: it does not read its input, which is its own affair.
    });
    child.stdin.end(options.input ?? '');
    // The listeners of the output are attached before anything is awaited, so that none is lost.
    const started = new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    if (child.pid === undefined) {
      await started;
      throw new Error(`${program} did not start`);
    }
    const running = new Child(child, child.pid, group, options.timeoutMs ?? 40_000);
    await started;
    return running;
  }

  /** All that it has said so far, on both streams. */
  get output(): string {
    return this.#output;
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Sends a signal to it, or to its group when it leads one. Does nothing once it has ended. */
  signal(signal: NodeJS.Signals): void {
    if (!this.running) return;
    if (!this.#group) {
      this.#process.kill(signal);
      return;
    }
    try {
      process.kill(-this.pid, signal);
    } catch {
      // Gone in between.
    }
  }
}

/** Runs a program to its end, without a shell. */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: ChildOptions = {},
): Promise<Finished> {
  return (await Child.start(program, args, options)).finished;
}

import type { Child } from './child.ts';
import type { Namespace } from './namespace.ts';
import { until } from './until.ts';

export interface DaemonPlan {
  readonly namespace: Namespace;
  readonly program: string;
  /** Such that it stays in the foreground. */
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Polled until it is true; a throw counts as "not yet". */
  readonly ready: () => boolean | Promise<boolean>;
  readonly readyWithinMs?: number;
}

/**
 * A daemon in the foreground within a namespace. It leads a process group of its own, so that
 * what is done to it is done to its workers too.
 */
export class Daemon {
  readonly #plan: DaemonPlan;
  #child: Child;

  private constructor(plan: DaemonPlan, child: Child) {
    this.#plan = plan;
    this.#child = child;
  }

  /** @throws Error with what it printed, when it ends or does not get ready */
  static async start(plan: DaemonPlan): Promise<Daemon> {
    return new Daemon(plan, await Daemon.#launch(plan));
  }

  static async #launch(plan: DaemonPlan): Promise<Child> {
    const child = await plan.namespace.spawn(plan.program, plan.args, {
      ...(plan.env === undefined ? {} : { env: plan.env }),
      ...(plan.cwd === undefined ? {} : { cwd: plan.cwd }),
      group: true,
      timeoutMs: 600_000,
    });
    try {
      await until(
        `${plan.program} ready`,
        () => !child.running || plan.ready(),
        plan.readyWithinMs === undefined ? {} : { timeoutMs: plan.readyWithinMs },
      );
      if (!child.running) throw new Error(`${plan.program} ended`);
    } catch (error) {
      child.signal('SIGKILL');
      throw new Error(`${String(error)}\n${child.output}`, { cause: error });
    }
    return child;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** All that it has said since its last start. */
  get output(): string {
    return this.#child.output;
  }

  get running(): boolean {
    return this.#child.running;
  }

  /** Stops it with all its processes: its sockets stay open, and nobody answers. */
  freeze(): void {
    this.#child.signal('SIGSTOP');
  }

  thaw(): void {
    this.#child.signal('SIGCONT');
  }

  /** Asks it to end, and kills it when it does not within 5 s. */
  async stop(): Promise<void> {
    this.#child.signal('SIGCONT');
    this.#child.signal('SIGTERM');
    const timer = setTimeout(() => {
      this.#child.signal('SIGKILL');
    }, 5000);
    await this.#child.finished;
    clearTimeout(timer);
  }

  /** Ends it at once: it closes nothing and says nothing. */
  async kill(): Promise<void> {
    this.#child.signal('SIGKILL');
    await this.#child.finished;
  }

  /** Starts it again as it was started first, and waits until it is ready. */
  async restart(): Promise<void> {
    if (this.running) await this.stop();
    this.#child = await Daemon.#launch(this.#plan);
  }
}

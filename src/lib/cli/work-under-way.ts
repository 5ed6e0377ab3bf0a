import { monotonicMs, sleep } from '../system/clock.ts';

/** How long an instance whose pass is over waits for the others before it makes another one. */
const REPEAT_MS = 2000;

/**
 * What a process has under way: the first pass of each instance, and the programs of `--on-change`.
 * No instance waits for another: as long as something is under way, those that are through make a
 * pass from time to time, as if a timer had started them. Otherwise a service that hangs, or a
 * program that does, would keep a dead service of another instance advertised.
 */
export class WorkUnderWay {
  readonly #idle = new AbortController();
  readonly #untilMs: number;
  #count = 0;

  /** @param limitMs how long anything may be under way: afterwards nothing is begun any more */
  constructor(limitMs: number) {
    this.#untilMs = monotonicMs() + limitMs;
  }

  /** Counts something until it is over. */
  async during<T>(work: Promise<T>): Promise<T> {
    this.#count += 1;
    try {
      return await work;
    } finally {
      this.#count -= 1;
      if (this.#count === 0) this.#idle.abort();
    }
  }

  /**
   * Waits for as long as a timer would.
   *
   * @param interrupted ends the wait
   * @returns whether another pass is to be made; false as soon as nothing is under way any more
   */
  async isLongerThanATimer(interrupted: AbortSignal): Promise<boolean> {
    await sleep(REPEAT_MS, AbortSignal.any([this.#idle.signal, interrupted]));
    const isOver = this.#idle.signal.aborted || interrupted.aborted;
    return !isOver && this.#count > 0 && monotonicMs() < this.#untilMs;
  }
}

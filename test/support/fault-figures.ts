import { appendFileSync } from 'node:fs';

/** Whether the whole of a part is run, as the benchmark does, or a bounded form for every day. */
export const full = process.env['FAULTS'] === 'full';

/** What came of one part of the fault harness. */
export class Figures {
  readonly part: string;
  injected = 0;
  readonly violations: string[] = [];
  readonly #outcomes = new Map<string, number>();

  constructor(part: string) {
    this.part = part;
  }

  /** Counts how a fault ended. */
  count(outcome: string): void {
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
  }

  /** Something that must never be. */
  violate(message: string): void {
    this.violations.push(message);
  }

  /** Tells the benchmark, if it is the one that runs this. */
  publish(): this {
    const file = process.env['FAULT_FIGURES'];
    if (file !== undefined) {
      const { part, injected, violations } = this;
      const outcomes = Object.fromEntries(this.#outcomes);
      appendFileSync(file, `${JSON.stringify({ part, injected, outcomes, violations })}\n`);
    }
    return this;
  }
}

/** Members of a list at even distances: all of them, or as many as are wanted. */
export function spread<T>(all: readonly T[], wanted: number): readonly T[] {
  if (all.length <= wanted) return all;
  const step = all.length / wanted;
  return all.filter((_, index) => Math.floor(index / step) !== Math.floor((index - 1) / step));
}

/** A generator of the same numbers for the same seed, in [0, 1) (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

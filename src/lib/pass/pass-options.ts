import type { Place } from '../state/instance-state.ts';
import type { DecisionOptions } from './decide.ts';

/** Something an operator should know, said once until it is over. */
export interface Advice {
  readonly key: string;
  readonly message: string;
}

/** What one pass of one instance goes by. Spans are in milliseconds. */
export interface PassOptions extends DecisionOptions {
  readonly instance: string;
  /** The configuration file's path, or null for an instance that runs from flags. */
  readonly source: string | null;
  /** The places it keeps in the kernel; none: it only probes and says what it saw. */
  readonly places: readonly Place[];
  readonly mode: 'pass' | 'dry-run' | 'withdraw';
  /** Limit of one attempt. */
  readonly timeoutMs: number;
  readonly attempts: number;
  readonly retryDelayMs: number;
  /** undefined: addresses stay until they are removed. */
  readonly leaseMs: number | undefined;
  readonly drainMs: number;
  readonly stateDir: string;
  readonly persistDir: string;
  readonly lockWaitMs: number;
  /** What is doubtful about the configuration itself. */
  readonly advice: readonly Advice[];
}

/** What a pass may take besides its attempts: lock, kernel, disk. */
const OVERHEAD_MS = 2000;

/** The hard deadline of a whole pass. */
export function passDeadlineMs(
  options: Pick<PassOptions, 'timeoutMs' | 'attempts' | 'retryDelayMs'>,
): number {
  const { attempts, timeoutMs, retryDelayMs } = options;
  return attempts * timeoutMs + (attempts - 1) * retryDelayMs + OVERHEAD_MS;
}

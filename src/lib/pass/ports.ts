import type { Advertiser } from '../advertise/advertiser.ts';
import type { Configurations } from '../options/configured-instances.ts';
import type { Verdict } from '../probe/probe.ts';
import type { ServiceAddress } from '../state/instance-state.ts';
import type { RunningCommand } from '../state/running-command.ts';
import type { Clock } from '../system/clock.ts';
import type { RunCommand } from '../system/command.ts';
import type { Log } from '../system/log.ts';
import type { DecisionOptions } from './decide.ts';

/** What a pass needs of the machine around it. */
export interface PassPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly run: RunCommand;
  /** Loads what `run` needs at its first use. */
  readonly prepareChange: () => Promise<void>;
  readonly advertiser: Advertiser;
  readonly ownUid: number;
  readonly interrupts: Interrupts;
  readonly configurations: Configurations;
  /** Asks once; settles soon after the signal is aborted. */
  readonly probe: (context: AttemptContext) => Promise<Verdict>;
}

export interface AttemptContext {
  readonly signal: AbortSignal;
  readonly log: Log;
  /** The health before this pass, where it is known. */
  readonly health: 'up' | 'down' | undefined;
  /** Where the pass notes a command that it starts; undefined: it notes nothing. */
  readonly command: RunningCommand | undefined;
}

/** `withdraw`: SIGTERM; `suspend`: SIGTSTP; `leave`: SIGINT or SIGHUP. */
export type Interruption = 'withdraw' | 'suspend' | 'leave';

/** The signals that ask something of a pass, as far as they came. */
export interface Interrupts {
  /** Aborted with the first request: a probe under way is of no use any more. */
  readonly signal: AbortSignal;
  /** Aborted with a second termination: somebody does not want to wait for the drain. */
  readonly hurry: AbortSignal;
  requested(): Interruption | undefined;
}

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
  readonly places: readonly ServiceAddress[];
  readonly mode: 'pass' | 'dry-run' | 'withdraw';
  /** Limit of one attempt. */
  readonly timeoutMs: number;
  readonly attempts: number;
  readonly retryDelayMs: number;
  /** undefined: addresses stay until they are removed. */
  readonly leaseMs: number | undefined;
  readonly drainMs: number;
  /** undefined: the drain is by local routes alone. */
  readonly drainInterface: string | undefined;
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

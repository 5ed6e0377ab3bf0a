import type { Advertiser } from '../advertise/advertiser.ts';
import type { Verdict } from '../probe/probe.ts';
import type { Configurations } from '../options/configured-instances.ts';
import type { RunningCommand } from '../state/running-command.ts';
import type { Clock } from '../system/clock.ts';
import type { RunCommand } from '../system/command.ts';
import type { Log } from '../system/log.ts';

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

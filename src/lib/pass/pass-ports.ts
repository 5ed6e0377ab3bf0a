import type { Advertiser } from '../advertise/advertiser.ts';
import type { Verdict } from '../probe/probe.ts';
import type { Place } from '../state/instance-state.ts';
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

/** What a configuration file says of its instance. */
export interface ConfiguredInstance {
  readonly path: string;
  readonly instance: string;
  readonly places: readonly Place[];
  /** When the file was last changed, moved or replaced, on the wall clock. */
  readonly changedAtMs: number;
}

export interface Configurations {
  /** undefined: there is no such file. Throws ConfigurationError for one that cannot be read. */
  read(path: string): ConfiguredInstance | undefined;
  /** Those in the folder of a file, without it and without what cannot be read. */
  beside(path: string): readonly ConfiguredInstance[];
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

import type { Advertiser } from '../advertise/advertiser.ts';
import type { Clock } from '../system/clock.ts';
import type { RunCommand } from '../system/command.ts';
import type { Log } from '../system/log.ts';

/** What the commands that look after all instances of a node work with. */
export interface NodeContext {
  readonly stateDir: string;
  readonly persistDir: string;
  readonly lockWaitMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly run: RunCommand;
  readonly ownUid: number;
  /** How an instance of a kind advertises. */
  /** @param drainInterface as the state has it: '' for none, null where it says nothing */
  readonly advertiserFor: (kind: Advertiser['kind'], drainInterface: string | null) => Advertiser;
}

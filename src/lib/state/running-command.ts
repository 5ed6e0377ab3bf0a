import { readlinkSync, symlinkSync } from 'node:fs';
import { removeIfPresent } from '../system/atomic-file.ts';
import { errnoOf, StateError } from '../system/errors.ts';
import type { Log } from '../system/log.ts';
import { identityOf, killSession, type ProcessIdentity } from '../system/process-identity.ts';

/**
 * A note of the command that a pass of exec-probe runs, by the process that leads its session: a
 * pass that is killed with SIGKILL leaves it running, and the next one ends it. It is a symbolic
 * link, as a lock is. A command that cannot be noted is run all the same; so is one whose pass is
 * killed in the moment between its start and the note, and that one is left to its own end.
 */
export interface RunningCommand {
  begun(pid: number): void;
  over(): void;
}

/** The variable by which a command knows the instance that it is run for. */
export const INSTANCE_VARIABLE = 'ANYCAST_INSTANCE';

/** @param path of the note; the caller holds the instance's lock */
export function runningCommand(path: string): RunningCommand {
  return {
    begun: (pid) => {
      whereItCan(() => {
        const { startTicks, bootId, pidNamespace } = identityOf(pid);
        symlinkSync([pid, startTicks, bootId, pidNamespace].join(' '), path);
      });
    },
    over: () => {
      whereItCan(() => {
        removeIfPresent(path);
      });
    },
  };
}

/**
 * Ends what a killed pass left running.
 *
 * @param path of the note; the caller holds the instance's lock
 */
export function endLeftCommand(path: string, instance: string, log: Log): void {
  whereItCan(() => {
    const leader = readNote(path);
    if (leader === undefined) return;
    const left = killSession(leader, `${INSTANCE_VARIABLE}=${instance}`);
    if (left.length > 0) {
      log.warning(`killed what a pass that was killed left running (process ${left.join(', ')})`);
    }
    removeIfPresent(path);
  });
}

function readNote(path: string): ProcessIdentity | undefined {
  let note: string;
  try {
    note = readlinkSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  const [pid, startTicks, bootId = '', pidNamespace = ''] = note.split(' ');
  return { pid: Number(pid), startTicks: Number(startTicks), bootId, pidNamespace };
}

/** What fails here is no fault of the pass that comes next. */
function whereItCan(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (errnoOf(error) === undefined && !(error instanceof StateError)) throw error;
  }
}

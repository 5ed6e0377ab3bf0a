import type { InstanceState } from '../state/instance-state.ts';
import { acquireLock, type Lock } from '../state/lock.ts';
import { endLeftCommand } from '../state/running-command.ts';
import {
  openStateWriter,
  readState,
  type StateReading,
  type StateWriter,
} from '../state/state-file.ts';
import {
  checkFolder,
  instancePaths,
  prepareFolder,
  type InstancePaths,
} from '../state/state-folder.ts';
import { BusyError, PermissionError, StateError } from '../system/errors.ts';
import { passDeadlineMs, type PassOptions, type PassPorts } from './ports.ts';

export type SessionOptions = Pick<
  PassOptions,
  'instance' | 'stateDir' | 'lockWaitMs' | 'attempts' | 'timeoutMs' | 'retryDelayMs' | 'places'
> & {
  /** Whether the wait for the lock begins anew with each other holder. */
  readonly inTurn?: boolean;
};
export type SessionPorts = Pick<PassPorts, 'clock' | 'log' | 'run' | 'ownUid'>;

/** An instance while its lock is held. */
export interface Session {
  readonly paths: InstancePaths;
  /** The state as the last pass left it. */
  readonly reading: StateReading;
  /**
   * Why lock or state cannot be written, if so: then this pass only removes, so that a full disk
   * never keeps a dead service advertised, and a missing lock cannot make two passes add.
   */
  readonly degraded: StateError | PermissionError | undefined;
  /** Whether anything may be written: not when degraded, nor in a dry run. */
  readonly mayWrite: boolean;
  /**
   * Looks whether the lock is still held, before a change of the kernel.
   *
   * @throws BusyError when a waiter took it for void, for this process stood still for too long
   */
  requireLock(): void;
  /** Writes the state. Throws StateError, or BusyError as `requireLock`. */
  write(state: InstanceState): void;
  /** Gives the lock back. */
  close(): void;
}

/** A place takes about this much of the state file, with its address in the list of drains. */
const BYTES_PER_PLACE = 160;

/**
 * Locks an instance, reads its state and takes the room for the new one. What goes wrong with
 * folder, lock or disk does not throw: it makes a degraded session.
 *
 * @param giveUp ends the wait for the lock before its time
 * @throws BusyError when another pass holds the lock
 */
export async function openSession(
  options: SessionOptions,
  ports: SessionPorts,
  giveUp?: AbortSignal,
): Promise<Session> {
  const paths = instancePaths(options.stateDir, options.instance);
  const { clock, log, run } = ports;
  let trusted = false;
  let lock: Lock | undefined;
  let writer: StateWriter | undefined;
  let degraded: Session['degraded'];
  try {
    prepareFolder(options.stateDir, ports.ownUid);
    trusted = true;
    const holdMs = passDeadlineMs(options);
    const waitMs = options.lockWaitMs;
    const { inTurn = false } = options;
    lock = await acquireLock({ path: paths.lock, waitMs, holdMs, log, run, giveUp, inTurn });
    endLeftCommand(paths.command, options.instance, log);
    writer = openStateWriter(paths.state, options.places.length * BYTES_PER_PLACE);
  } catch (error) {
    if (!(error instanceof StateError || error instanceof PermissionError)) throw error;
    degraded = error;
  }
  const requireLock = (): void => {
    if (lock !== undefined && !lock.isHeld()) {
      throw new BusyError('lost the lock: this pass stood still for too long, and another went on');
    }
  };
  return {
    paths,
    requireLock,
    reading: trusted
      ? readState(paths.state, clock.now())
      : { kind: 'gap', gap: 'unreadable', stale: undefined },
    degraded,
    mayWrite: degraded === undefined,
    write: (state) => {
      if (writer === undefined) throw degraded ?? new StateError('the state is not open');
      requireLock();
      writer.write(state);
    },
    close: () => {
      try {
        writer?.discard();
      } finally {
        lock?.release();
      }
    },
  };
}

/**
 * Reads an instance's state without its lock, for a dry run.
 *
 * @throws PermissionError for a folder that must not be trusted
 */
export function openReadOnly(
  options: SessionOptions,
  ports: Pick<SessionPorts, 'clock' | 'ownUid'>,
): Session {
  const paths = instancePaths(options.stateDir, options.instance);
  checkFolder(options.stateDir, ports.ownUid);
  return {
    paths,
    reading: readState(paths.state, ports.clock.now()),
    degraded: undefined,
    mayWrite: false,
    requireLock: () => undefined,
    write: () => undefined,
    close: () => undefined,
  };
}

import { closeSync, constants, openSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { monotonicMs, sleep } from '../system/clock.ts';
import type { RunCommand } from '../system/command.ts';
import { BusyError, errnoOf, messageOf, PermissionError, StateError } from '../system/errors.ts';
import type { Log } from '../system/log.ts';
import {
  killProcess,
  livenessOf,
  ownIdentity,
  type ProcessIdentity,
} from '../system/process-identity.ts';

/**
 * A lock is a symbolic link whose target names its holder. Making one is a single system call
 * that is exclusive and puts the whole content in place at once, so there is no half-written lock
 * and no temporary file; and nobody can hold it open. A lock whose holder is dead is void.
 */
export interface Lock {
  /**
   * Whether it is still ours. A process that stood still for long may find that a waiter took its
   * lock for void: then it must not change anything any more. Where that cannot be told it is: a
   * disk that fails must not keep a dead service advertised.
   */
  isHeld(): boolean;
  release(): void;
}

export interface LockRequest {
  readonly path: string;
  /** How long to wait for another holder, in milliseconds. */
  readonly waitMs: number;
  /** How long it will be held at most, in milliseconds: ten seconds later a waiter kills us. */
  readonly holdMs: number;
  readonly log: Log;
  readonly run: RunCommand;
  /** Ends the wait before its time. */
  readonly giveUp?: AbortSignal | undefined;
  /** The wait begins anew with each other holder: one of many that wait for their turn gets it. */
  readonly inTurn?: boolean;
}

interface Holder extends ProcessIdentity {
  /** On the monotonic clock, which all processes share. */
  readonly deadlineMs: number;
  /** Tells apart the locks that one process takes one after the other. */
  readonly serial: number;
}

const OVERDUE_MS = 10_000;
/** Between two looks: longer each time, and by chance, so that many who wait keep nobody from work. */
const FIRST_POLL_MS = 20;
const LONGEST_POLL_MS = 500;
const POLL_GROWTH = 1.5;

/** However many take their turns before us. */
const LONGEST_WAIT_MS = 600_000;

let serial = 0;

/**
 * Takes the lock.
 *
 * @throws BusyError when another process holds it all the time
 * @throws StateError when the folder does not take a lock (full, read-only …), PermissionError when
 *   it is not ours to write to
 */
export async function acquireLock(request: LockRequest): Promise<Lock> {
  const begunMs = monotonicMs();
  let giveUpAtMs = begunMs + request.waitMs;
  let last: string | undefined;
  let pollMs = FIRST_POLL_MS;
  let killed: number | undefined;
  for (;;) {
    const content = describeHolder(request.holdMs);
    if (tryLink(content, request.path)) {
      return {
        isHeld: () => isHeldBy(content, request.path),
        release: () => {
          releaseLock(request.path, content);
        },
      };
    }
    const found = readLink(request.path);
    if (found === undefined) continue; // released in this moment
    if (request.inTurn === true && last !== undefined && found !== last) {
      giveUpAtMs = Math.min(monotonicMs() + request.waitMs, begunMs + LONGEST_WAIT_MS);
    }
    last = found;
    const holder = parseHolder(found);
    const liveness = holder === undefined ? 'dead' : livenessOf(holder);
    // One in another PID namespace (a container that may be gone) cannot be looked at, nor killed:
    // its deadline decides. It looks for itself, before each change, whether the lock is still its own.
    const isUnseen = liveness === 'unknowable' && holder !== undefined && isOverdue(holder);
    if (liveness === 'dead' || isUnseen) {
      if (await breakLock(request, found)) continue; // free for us, however little we may wait
    } else if (holder !== undefined && liveness === 'alive' && isOverdue(holder)) {
      if (killProcess(holder) && killed !== holder.pid) {
        killed = holder.pid;
        request.log.warning(`killed process ${holder.pid}, which held the lock past its deadline`);
      }
    }
    if (monotonicMs() >= giveUpAtMs || request.giveUp?.aborted === true) {
      throw new BusyError(`another pass (process ${holder?.pid ?? '?'}) holds the lock`);
    }
    await sleep(pollMs * (0.5 + Math.random()), request.giveUp);
    pollMs = Math.min(pollMs * POLL_GROWTH, LONGEST_POLL_MS);
  }
}

/** Who holds the lock now, for `ha-status`; undefined when nobody does. */
export function lockHolder(path: string): ProcessIdentity | undefined {
  const holder = parseHolder(readLink(path) ?? '');
  if (holder === undefined) return undefined;
  const liveness = livenessOf(holder);
  const isVoid = liveness === 'dead' || (liveness === 'unknowable' && isOverdue(holder));
  return isVoid ? undefined : holder;
}

function isOverdue(holder: Holder): boolean {
  return monotonicMs() > holder.deadlineMs + OVERDUE_MS;
}

function describeHolder(holdMs: number): string {
  serial += 1;
  const { pid, startTicks, bootId, pidNamespace } = ownIdentity();
  return [pid, startTicks, bootId, pidNamespace, monotonicMs() + holdMs, serial].join(' ');
}

function parseHolder(content: string): Holder | undefined {
  const [pid, startTicks, bootId, pidNamespace, deadlineMs, number] = content.split(' ');
  const holder = {
    pid: Number(pid),
    startTicks: Number(startTicks),
    bootId: bootId ?? '',
    pidNamespace: pidNamespace ?? '',
    deadlineMs: Number(deadlineMs),
    serial: Number(number),
  };
  const sound =
    Number.isSafeInteger(holder.pid) && holder.pid > 0 && Number.isSafeInteger(holder.startTicks);
  return sound ? holder : undefined;
}

function tryLink(content: string, path: string): boolean {
  try {
    symlinkSync(content, path);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EEXIST') return false;
    const Kind = errno === 'EACCES' || errno === 'EPERM' ? PermissionError : StateError;
    throw new Kind(`cannot lock: ${messageOf(error)}`, { cause: error });
  }
}

/** The content of a lock; '' when something else stands in its place, undefined for nothing. */
function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    if (errnoOf(error) === 'EINVAL') return ''; // no link: nothing of ours
    throw new StateError(`cannot read the lock: ${messageOf(error)}`, { cause: error });
  }
}

function isHeldBy(content: string, path: string): boolean {
  try {
    return readLink(path) === content;
  } catch (error) {
    if (error instanceof StateError) return true;
    throw error;
  }
}

function releaseLock(path: string, content: string): void {
  // Only the holder and, after its death, a breaker remove a lock: what is ours stays ours.
  if (readLink(path) === content) unlink(path);
}

function unlink(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    throw new StateError(`cannot remove the lock: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Removes the lock of a dead holder. Two breakers at once could remove a lock that was taken in
 * between, so they are serialised by a lock of the kernel's own, flock(2), which dies with its
 * holder. Node has no flock: flock(1) puts it on our open file. The process that costs is started
 * only after a crash.
 *
 * @returns whether it was removed here
 */
async function breakLock(request: LockRequest, found: string): Promise<boolean> {
  // Its holder may just have released it and ended: that is not worth a process.
  if (readLink(request.path) !== found) return false;
  const path = join(dirname(request.path), '.break');
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  } catch (error) {
    throw new StateError(`cannot break a dead lock: ${messageOf(error)}`, { cause: error });
  }
  try {
    const result = await request.run('flock', ['-w', '1', '0'], { timeoutMs: 2000, input: fd });
    if (result.exitCode === 0 && readLink(request.path) === found) {
      unlink(request.path);
      request.log.step('took away the lock of a process that is gone');
      return true;
    }
    if (result.exitCode !== 0 && result.exitCode !== 1) {
      throw new StateError(`cannot break a dead lock: ${result.failure ?? result.stderr}`);
    }
    return false; // somebody else did, or is about to
  } finally {
    closeSync(fd);
  }
}

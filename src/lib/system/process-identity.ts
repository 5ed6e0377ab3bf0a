import { readFileSync, readlinkSync } from 'node:fs';
import { currentBootId } from './clock.ts';
import { errnoOf, messageOf, StateError } from './errors.ts';

/** One process for all time: a pid alone is reused. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks after boot (proc(5), field 22 of stat). */
  readonly startTicks: number;
  readonly bootId: string;
  /** `pid:[4026531836]`: pids of another PID namespace mean nothing here. */
  readonly pidNamespace: string;
}

/** `unknowable`: it lives in another PID namespace, so its pid says nothing to us. */
export type Liveness = 'alive' | 'dead' | 'unknowable';

interface ProcessStat {
  readonly state: string;
  readonly startTicks: number;
}

function readStat(pid: number | 'self'): ProcessStat {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The command's name, in brackets, may hold anything, also brackets: fields count from the last.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', startTicks: Number(fields[19]) };
}

function readPidNamespace(): string {
  return ofProc(() => readlinkSync('/proc/self/ns/pid'));
}

/** Who we are. Throws StateError where the kernel does not tell. */
export function ownIdentity(): ProcessIdentity {
  return {
    pid: process.pid,
    startTicks: ofProc(() => readStat('self')).startTicks,
    bootId: currentBootId(),
    pidNamespace: readPidNamespace(),
  };
}

function ofProc<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new StateError(`cannot tell processes apart: ${messageOf(error)}`, { cause: error });
  }
}

/** The identity of a child that was just started. */
export function identityOf(pid: number): ProcessIdentity {
  return { ...ownIdentity(), pid, startTicks: readStat(pid).startTicks };
}

/** No pid is higher (PID_MAX_LIMIT in linux/threads.h): what is comes out of a file that lies. */
const MAX_PID = 2 ** 22;

/**
 * Whether that very process still runs. A zombie holds nothing any more: it is dead. Throws
 * StateError.
 */
export function livenessOf(identity: ProcessIdentity): Liveness {
  if (identity.bootId !== currentBootId()) return 'dead';
  if (identity.pidNamespace !== readPidNamespace()) return 'unknowable';
  if (identity.pid < 1 || identity.pid > MAX_PID) return 'dead';
  try {
    process.kill(identity.pid, 0);
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return 'dead'; // EPERM: it exists
  }
  try {
    const stat = readStat(identity.pid);
    const same = stat.startTicks === identity.startTicks;
    return same && stat.state !== 'Z' && stat.state !== 'X' ? 'alive' : 'dead';
  } catch (error) {
    // Gone in this moment; or /proc hides it (hidepid), and then it must be taken for alive.
    return errnoOf(error) === 'ESRCH' || !exists(identity.pid) ? 'dead' : 'alive';
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== 'ESRCH';
  }
}

/** Kills that very process with SIGKILL, if it still runs and we may. */
export function killProcess(identity: ProcessIdentity): void {
  if (livenessOf(identity) !== 'alive') return;
  try {
    process.kill(identity.pid, 'SIGKILL');
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH' && errnoOf(error) !== 'EPERM') throw error;
  }
}

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
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
  readonly session: number;
  readonly startTicks: number;
}

function readStat(pid: number | 'self'): ProcessStat {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The command's name, in brackets, may hold anything, also brackets: fields count from the last.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', session: Number(fields[3]), startTicks: Number(fields[19]) };
}

function readPidNamespace(): string {
  return ofProc(() => readlinkSync('/proc/self/ns/pid'));
}

let own: ProcessIdentity | undefined;

/** Who we are, which never changes. Throws StateError where the kernel does not tell. */
export function ownIdentity(): ProcessIdentity {
  own ??= {
    pid: process.pid,
    startTicks: ofProc(() => readStat('self')).startTicks,
    bootId: currentBootId(),
    pidNamespace: readPidNamespace(),
  };
  return own;
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
  const namespace = readPidNamespace();
  if (identity.pidNamespace !== namespace) return livenessInside(identity, namespace);
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

/** The namespace from which all processes can be seen (PROC_PID_INIT_INO in linux/proc_ns.h). */
const INITIAL_NAMESPACE = 'pid:[4026531836]';

/**
 * The same for a process of another PID namespace, such as a container's. It has a pid here too, if
 * that namespace is below ours; and below the initial one are all.
 *
 * @param own our namespace
 */
function livenessInside(identity: ProcessIdentity, own: string): Liveness {
  const runs = readdirSync('/proc').some((name) => isProcessInside(name, identity));
  if (runs) return 'alive';
  return own === INITIAL_NAMESPACE ? 'dead' : 'unknowable';
}

function isProcessInside(name: string, identity: ProcessIdentity): boolean {
  if (!/^\d+$/.test(name)) return false;
  try {
    if (readlinkSync(`/proc/${name}/ns/pid`) !== identity.pidNamespace) return false;
    const status = readFileSync(`/proc/${name}/status`, 'latin1');
    const inner = /^NSpid:.*\t(\d+)$/m.exec(status)?.[1]; // the innermost namespace's stands last
    const { startTicks, state } = readStat(Number(name));
    return Number(inner) === identity.pid && startTicks === identity.startTicks && state !== 'Z';
  } catch {
    return false; // it ended in this moment
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

/**
 * Kills that very process with SIGKILL, if it still runs and we may.
 *
 * @returns whether the signal was sent; never to a process of another PID namespace
 */
export function killProcess(identity: ProcessIdentity): boolean {
  if (identity.pidNamespace !== readPidNamespace() || livenessOf(identity) !== 'alive')
    return false;
  try {
    return process.kill(identity.pid, 'SIGKILL');
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH' && errnoOf(error) !== 'EPERM') throw error;
    return false;
  }
}

/**
 * Kills with SIGKILL the processes of a session: its leader, and what has a variable in its
 * environment that tells that it belongs to it. A number that another program has by now is neither.
 *
 * @param leader as it was when the session began; of another boot or PID namespace it has none
 * @param variable `NAME=value`
 * @returns what was killed
 * @throws StateError where the kernel does not tell
 */
export function killSession(leader: ProcessIdentity, variable: string): readonly number[] {
  const { bootId, pidNamespace } = ownIdentity();
  if (leader.bootId !== bootId || leader.pidNamespace !== pidNamespace) return [];
  const members = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isMember(name, leader.pid, variable))
    .map(Number);
  const first = livenessOf(leader) === 'alive' ? [leader.pid] : [];
  return [...new Set([...first, ...members])].filter((pid) => {
    try {
      return process.kill(pid, 'SIGKILL');
    } catch {
      return false; // it ended in this moment, or has become another user's
    }
  });
}

function isMember(pid: string, session: number, variable: string): boolean {
  try {
    const stat = readStat(Number(pid));
    if (stat.session !== session || stat.state === 'Z') return false;
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(variable);
  } catch {
    return false; // it ended in this moment, or is not ours to look at
  }
}

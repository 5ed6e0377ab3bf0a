import { lstatSync, renameSync } from 'node:fs';
import { basename } from 'node:path';
import { removeIfPresent, reserveFile, type FileReplacement } from '../system/atomic-file.ts';
import { bootOf, type Moment } from '../system/clock.ts';
import { errnoOf, messageOf, StateError } from '../system/errors.ts';
import { readBounded } from '../system/read-file.ts';
import { parseState, type InstanceState } from './instance-state.ts';
import { seal, unseal } from './sealed-text.ts';
import type { InstancePaths } from './state-folder.ts';

/** Why there is no state to go by, as it is told to people. */
export type StateGap = 'missing' | 'unreadable' | 'corrupt' | 'newer' | 'other-boot' | 'expired';

export type StateReading =
  | { readonly kind: 'valid'; readonly state: InstanceState }
  | {
      readonly kind: 'gap';
      readonly gap: StateGap;
      readonly stale: InstanceState | undefined;
      /** What is still true of a state that is older than its lease. */
      readonly aged?: InstanceState;
    };

/** A thousand addresses take a tenth of this. */
const MAX_BYTES = 1024 * 1024;

/**
 * Reads the state of an instance. Whatever is wrong with the file is a gap, never an exception:
 * a pass then starts from what the kernel shows.
 *
 * @param now state of another boot, from the future or older than its lease is a gap
 */
export function readState(path: string, now: Moment): StateReading {
  const reading = readStateFile(path, path, now);
  if (reading.kind === 'valid' || reading.gap !== 'missing') return reading;
  const marked = readStateFile(markedPath(path), path, now);
  return marked.kind === 'valid' ? { kind: 'valid', state: withdrawn(marked.state, now) } : reading;
}

/**
 * Marks the state as one of an instance that is withdrawn since, where nothing can be written: on a
 * full disk a file can still be renamed. Without the mark the next pass would find an address gone
 * that the state has as advertised, and would put it back after one success. The caller holds the
 * lock. Nothing is thrown: where not even that is possible, it is as it would be without.
 */
export function markWithdrawn(path: string): void {
  try {
    renameSync(path, markedPath(path));
  } catch {
    // There is no state, or the folder takes nothing at all.
  }
}

function markedPath(path: string): string {
  return `${path}.withdrawn`;
}

/** What the pass that withdrew would have written. */
function withdrawn(state: InstanceState, now: Moment): InstanceState {
  const health = { ...state.health, status: 'down', successes: 0, failures: 0 } as const;
  return {
    ...state,
    health: state.health.status === 'down' ? state.health : { ...health, changedAtMs: now.bootMs },
    advertising: false,
    leaseFromMs: null,
  };
}

/** @param path of the file; `named`: the one whose name tells the instance */
function readStateFile(path: string, named: string, now: Moment): StateReading {
  let text: string;
  try {
    bootOf(now);
    text = readBounded(path, MAX_BYTES);
  } catch (error) {
    const gap = errnoOf(error) === 'ENOENT' ? 'missing' : 'unreadable';
    return { kind: 'gap', gap, stale: undefined };
  }
  const json = unseal(text);
  const state = json === undefined ? unsealedState(text) : parseState(json);
  if (typeof state === 'string') return { kind: 'gap', gap: state, stale: undefined };
  // Sound, but a copy of another instance's: what it says is not about this one.
  if (`${state.instance}.json` !== basename(named)) {
    return { kind: 'gap', gap: 'corrupt', stale: undefined };
  }
  if (state.bootId !== now.bootId) return { kind: 'gap', gap: 'other-boot', stale: state };
  return isExpired(state, now)
    ? { kind: 'gap', gap: 'expired', stale: state, aged: aged(state, now) }
    : { kind: 'valid', state };
}

/**
 * What of a state older than its lease is still true: what it manages, drains and holds down. The
 * kernel has taken the addresses out, so the health is down; successes count on where passes come no
 * more rarely than they are known to.
 */
function aged(state: InstanceState, now: Moment): InstanceState {
  const ageMs = now.bootMs - (state.lastPass?.atMs ?? 0);
  const goesOn = state.intervalMs !== null && ageMs >= 0 && ageMs <= 2 * state.intervalMs;
  const { health } = state;
  return {
    ...state,
    health: {
      ...health,
      status: 'down',
      successes: goesOn ? health.successes : 0,
      failures: 0,
      changedAtMs: health.status === 'down' ? health.changedAtMs : now.bootMs,
    },
    leaseFromMs: null,
  };
}

/** A newer version may seal in another way: what it calls itself is believed without. */
function unsealedState(text: string): 'newer' | 'corrupt' {
  return parseState(text) === 'newer' ? 'newer' : 'corrupt';
}

/** The lease of an address that was renewed by the last pass has ended by now. */
function isExpired(state: InstanceState, now: Moment): boolean {
  if (state.lastPass === null) return false;
  const ageMs = now.bootMs - state.lastPass.atMs;
  if (ageMs < 0) return true; // within one boot this clock never goes back: not our writing
  return state.leaseMs !== null && ageMs > state.leaseMs;
}

/** The state file with room taken for what the pass is going to write. */
export interface StateWriter {
  /** Throws StateError. */
  write(state: InstanceState): void;
  discard(): void;
}

/**
 * Takes the room for the new state before the pass acts on anything. The caller holds the lock.
 *
 * @throws StateError when the state cannot be written
 */
export function openStateWriter(path: string, expectedBytes: number): StateWriter {
  let file: FileReplacement | undefined = asStateError(path, () => {
    // The one thing that room for the new file cannot show: it could not take the old one's place.
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
      throw new Error('a folder stands in its place');
    }
    return reserveFile(path, 0o644, expectedBytes);
  });
  return {
    write: (state) => {
      const content = `${seal(JSON.stringify(state))}\n`;
      asStateError(path, () => {
        (file ?? reserveFile(path, 0o644, 0)).commit(content);
        file = undefined;
        removeIfPresent(markedPath(path));
      });
    },
    discard: () => {
      const unused = file;
      file = undefined;
      asStateError(path, () => unused?.discard());
    },
  };
}

function asStateError<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new StateError(`cannot write ${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** The state to go by, if there is one. */
export function usableState(reading: StateReading): InstanceState | undefined {
  return reading.kind === 'valid' ? reading.state : reading.aged;
}

/** What is known of an instance, also where it is too old to go by: what it manages is still true. */
export function knownState(reading: StateReading): InstanceState | undefined {
  return reading.kind === 'valid' ? reading.state : reading.stale;
}

/** Removes what an instance that is no more has left. Throws the system's error. */
export function forgetState({ state, withdraw, ended }: InstancePaths): void {
  removeIfPresent(ended);
  removeIfPresent(withdraw);
  removeIfPresent(state);
  removeIfPresent(markedPath(state));
}

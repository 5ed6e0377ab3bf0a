import { mkdirSync, readlinkSync, renameSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { removeIfPresent } from '../system/atomic-file.ts';
import { bootOf, type Clock, type Moment } from '../system/clock.ts';
import { errnoOf, messageOf, StateError } from '../system/errors.ts';
import { namesIn } from './state-folder.ts';

/**
 * Leases of routes: until when each may stay without another good pass. The kernel keeps that
 * itself for addresses, not for IPv4 routes. One symbolic link per route in STATE-DIR/route-leases
 * with the address as name and `BOOT-ID UNTIL` as target, which is put in place as a whole and is
 * read without opening a file: all passes of all instances look at them.
 */
export interface RouteLease {
  readonly address: string;
  /** On the clock since boot; undefined: of another boot, or not to be understood. */
  readonly untilMs: number | undefined;
}

export function routeLeaseFolder(stateDir: string): string {
  return join(stateDir, 'route-leases');
}

/**
 * Makes the folder.
 *
 * @returns whether there was none: then the leases of routes that are there are lost
 * @throws StateError
 */
export function openRouteLeases(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: 0o755 });
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw new StateError(`cannot make ${folder}: ${messageOf(error)}`, { cause: error });
  }
}

/** Sets the lease of a route anew. Throws StateError when the disk does not take it. */
export function setRouteLease(folder: string, address: string, leaseMs: number, now: Moment): void {
  const temporary = join(folder, `.${address}.tmp`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    removeIfPresent(temporary); // of a run that was killed in between
    symlinkSync(`${bootOf(now)} ${now.bootMs + leaseMs}`, temporary);
    renameSync(temporary, join(folder, address));
  } catch (error) {
    throw new StateError(`cannot write the lease of ${address}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** The route is gone, or may stay for ever. Throws StateError. */
export function endRouteLease(folder: string, address: string): void {
  try {
    unlinkSync(join(folder, address));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw new StateError(`cannot end the lease of ${address}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** The leases of a state folder, for whoever adds and removes routes. */
export function routeLeasesIn(
  stateDir: string,
  clock: Clock,
): {
  readonly set: (address: string, leaseMs: number) => void;
  readonly end: (address: string) => void;
} {
  const folder = routeLeaseFolder(stateDir);
  return {
    set: (address, leaseMs) => {
      setRouteLease(folder, address, leaseMs, clock.now());
    },
    end: (address) => {
      endRouteLease(folder, address);
    },
  };
}

/** All leases. Throws StateError. */
export function routeLeases(folder: string, now: Moment): readonly RouteLease[] {
  return namesIn(folder).flatMap((name) =>
    name.startsWith('.') ? [] : (routeLease(folder, name, now) ?? []),
  );
}

/** The lease of one route, if it has one. Throws StateError. */
export function routeLease(folder: string, address: string, now: Moment): RouteLease | undefined {
  const boot = bootOf(now);
  try {
    const [bootId, until = ''] = readlinkSync(join(folder, address)).split(' ');
    const known = bootId === boot && /^\d{1,15}$/.test(until);
    return { address, untilMs: known ? Number(until) : undefined };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    if (errnoOf(error) === 'EINVAL') return { address, untilMs: undefined };
    throw new StateError(`cannot read the lease of ${address}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

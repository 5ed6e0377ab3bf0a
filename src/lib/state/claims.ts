import { mkdirSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, messageOf, StateError } from '../system/errors.ts';
import { namesIn } from './state-folder.ts';

/**
 * Claims: which instance owns which service address, one exclusive file per address in
 * STATE-DIR/claims. Each is a symbolic link with the address as name and the instance as target,
 * made by one system call that cannot be torn; `ls -l` shows all owners.
 */

/** The owner of an address. Throws StateError when that cannot be told. */
export function claimOwner(folder: string, address: string): string | undefined {
  try {
    return readlinkSync(join(folder, address));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw new StateError(`cannot read the claim of ${address}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/**
 * Claims an address.
 *
 * @returns the owner afterwards: the instance itself, or whoever came first
 * @throws StateError when the disk does not take it
 */
export function claim(folder: string, address: string, instance: string): string {
  makeFolder(folder);
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    try {
      symlinkSync(instance, join(folder, address));
      return instance;
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') {
        throw new StateError(`cannot claim ${address}: ${messageOf(error)}`, { cause: error });
      }
    }
    const owner = claimOwner(folder, address);
    if (owner !== undefined) return owner;
  }
  throw new StateError(`cannot claim ${address}: its claim comes and goes`);
}

/** A claim that is given up between our attempt and our look is tried again. */
const MAX_TRIES = 10;

/** Gives an address up, if the instance owns it. */
export function releaseClaim(folder: string, address: string, instance: string): void {
  if (claimOwner(folder, address) !== instance) return;
  try {
    unlinkSync(join(folder, address));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw new StateError(`cannot release ${address}: ${messageOf(error)}`, { cause: error });
  }
}

/** The addresses an instance owns: what is left to know of it when its state is lost. */
export function claimedAddresses(folder: string, instance: string): readonly string[] {
  return namesIn(folder).filter((address) => claimOwner(folder, address) === instance);
}

/** The addresses that any instance owns. Throws StateError. */
export function claimedByAnybody(folder: string): readonly string[] {
  return namesIn(folder);
}

/** The instances that own any address. Throws StateError. */
export function claimedInstances(folder: string): readonly string[] {
  return namesIn(folder).flatMap((address) => claimOwner(folder, address) ?? []);
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { mode: 0o755 });
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return;
    throw new StateError(`cannot make ${folder}: ${messageOf(error)}`, { cause: error });
  }
}

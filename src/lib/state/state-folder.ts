import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, messageOf, PermissionError, StateError } from '../system/errors.ts';
import { makeFolders } from '../system/make-folders.ts';

/** Where the files of one instance stand inside a state folder. */
export interface InstancePaths {
  readonly state: string;
  readonly lock: string;
  readonly claims: string;
  readonly suspensions: string;
  /** A note of the command that runs. */
  readonly command: string;
  /** The lines that take out what it advertises. */
  readonly withdraw: string;
  /** That the unit of its service ended. */
  readonly ended: string;
}

export function instancePaths(folder: string, instance: string): InstancePaths {
  return {
    state: join(folder, `${instance}.json`),
    lock: join(folder, `${instance}.lock`),
    claims: join(folder, 'claims'),
    suspensions: join(folder, 'suspensions'),
    command: join(folder, `${instance}.command`),
    withdraw: join(folder, `${instance}.withdraw`),
    ended: join(folder, `${instance}.ended`),
  };
}

/**
 * Makes the folder when it is missing, and makes sure that nobody else can write to it: whoever
 * can rename files in it can make an address stay or go.
 *
 * @param ownUid the user we run as: the folder must be that user's, or root's
 * @throws PermissionError for a folder that must not be trusted or cannot be made for lack of
 *   permission; StateError when the disk does not take it
 */
export function prepareFolder(folder: string, ownUid: number): void {
  try {
    makeFolders(folder, 0o755);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EACCES' || errno === 'EPERM') {
      throw new PermissionError(`${folder}: ${messageOf(error)}`, { cause: error });
    }
    if (!exists(folder)) {
      throw new StateError(`${folder}: ${messageOf(error)}`, { cause: error });
    }
  }
  checkFolder(folder, ownUid);
}

/**
 * The check of `prepareFolder` alone, for those who only read.
 *
 * @returns false when there is no such folder
 * @throws PermissionError
 */
export function checkFolder(folder: string, ownUid: number): boolean {
  let stat;
  try {
    stat = lstatSync(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw new StateError(`${folder}: ${messageOf(error)}`, { cause: error });
  }
  if (!stat.isDirectory())
    throw new PermissionError(`${folder} is no folder (nor may it be a link)`);
  if (stat.uid !== ownUid && stat.uid !== 0) {
    throw new PermissionError(`${folder} belongs to user ${stat.uid}: refused`);
  }
  if ((stat.mode & 0o022) !== 0) {
    throw new PermissionError(`${folder} can be written by others: refused (chmod 755)`);
  }
  return true;
}

function exists(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** What a folder has in it; nothing where there is no folder. Throws StateError. */
export function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw new StateError(`cannot read ${folder}: ${messageOf(error)}`, { cause: error });
  }
}

import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from './errors.ts';
import { randomHex } from './random.ts';

/**
 * A file that is replaced as a whole or not at all (temporary file, fsync, rename), whose space
 * is taken before it is needed: what `reserve` could write, `commit` can write too, also on a
 * disk that fills up in between.
 */
export interface FileReplacement {
  /** Puts the content in place. Throws the system's error. */
  commit(content: string): void;
  /** Gives up: the old file stays as it was. */
  discard(): void;
}

/** Room for what a pass may add to the content it read. */
const HEADROOM_BYTES = 2048;

/**
 * Begins to replace a file.
 *
 * @param path the file; its temporary neighbour has a fixed name, so that a killed run leaves at
 *   most one behind and the next takes it away; the caller holds the lock for this path
 * @param expectedBytes how much will be written, about
 * @param suffix of the temporary file, for writers that share no lock
 * @throws the system's error when folder or disk do not take it
 */
export function reserveFile(
  path: string,
  mode: number,
  expectedBytes: number,
  suffix = '.tmp',
): FileReplacement {
  const temporary = `${path}${suffix}`;
  removeIfPresent(temporary);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const fd = openSync(temporary, flags, mode);
  let open = true;
  const close = (): void => {
    if (open) closeSync(fd);
    open = false;
  };
  const discard = (): void => {
    try {
      close();
    } finally {
      removeIfPresent(temporary);
    }
  };
  try {
    fchmodSync(fd, mode); // whatever the umask says: others read states and metrics
    writeAll(fd, Buffer.alloc(expectedBytes + HEADROOM_BYTES, ' '));
  } catch (error) {
    discard();
    throw error;
  }
  return {
    discard,
    commit: (content) => {
      try {
        const bytes = Buffer.from(content);
        writeAll(fd, bytes);
        ftruncateSync(fd, bytes.length);
        fsyncSync(fd);
        close();
        renameSync(temporary, path);
      } catch (error) {
        discard();
        throw error;
      }
    },
  };
}

/** Replaces a file at once, also while others replace it: the last one wins. Throws the system's error. */
export function writeFileAtomically(path: string, mode: number, content: string): void {
  removeRemains(path);
  reserveFile(path, mode, 0, `.${process.pid}.${randomHex(6)}.tmp`).commit(content);
}

/**
 * Makes a file with all its content at once.
 *
 * @throws the system's error: EEXIST where there is one, which stays as it is
 */
export function createFileAtomically(path: string, mode: number, content: string): void {
  removeRemains(path);
  const temporary = `${path}.${process.pid}.${randomHex(6)}.tmp`;
  try {
    reserveFile(temporary, mode, 0, '.part').commit(content);
    linkSync(temporary, path); // link(2) never replaces
  } finally {
    removeIfPresent(temporary);
  }
}

/** Takes away the temporary files of writers of this file that were killed. */
function removeRemains(path: string): void {
  const folder = dirname(path);
  const prefix = `${basename(path)}.`;
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(prefix)) continue;
    const pid = /^(\d{1,7})\.[0-9a-f]{12}\.tmp$/.exec(name.slice(prefix.length))?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) removeIfPresent(join(folder, name));
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== 'ESRCH'; // EPERM: it runs, as another user
  }
}

/** Makes sure that the names in a folder survive a loss of power. Throws the system's error. */
export function syncFolder(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Removes a file; it is fine if there is none. */
export function removeIfPresent(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(fd, bytes, done, bytes.length - done, done);
  }
}

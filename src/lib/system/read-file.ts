import { lstatSync, statSync, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';

/** Write for the group or for everybody else (inode(7)). */
const WRITABLE_BY_OTHERS = 0o022;
/** In a folder with this bit only the owner of a file can put another in its place (inode(7)). */
const STICKY = 0o1000;

/**
 * Whether nobody but root and we could have written a file: neither its content nor, by way of the
 * folder, another file in its place.
 *
 * @param path of a file or folder; a symbolic link at its end is looked at itself
 * @param ownUid the user we run as
 * @returns why it must not be obeyed, in words that follow the path; undefined: nothing is wrong
 * @throws the system's error (ENOENT …)
 */
export function distrust(path: string, ownUid: number): string | undefined {
  const file = lstatSync(path);
  if (file.isSymbolicLink()) return 'is a symbolic link: refused';
  if (isOthers(file, ownUid)) return 'can be written by others: refused';
  const folder = statSync(dirname(path));
  const isShared = isOthers(folder, ownUid) && (folder.mode & STICKY) === 0;
  return isShared
    ? `is in a folder that others can write to (${dirname(path)}): refused`
    : undefined;
}

function isOthers(
  { uid, mode }: { readonly uid: number; readonly mode: number },
  ownUid: number,
): boolean {
  return (uid !== ownUid && uid !== 0) || (mode & WRITABLE_BY_OTHERS) !== 0;
}

/**
 * Reads a small regular file without ever following a link at its end, blocking on a FIFO or
 * reading without bound.
 *
 * @param maxBytes a longer file is refused
 * @throws the system's error (ENOENT, EACCES, ELOOP for a symbolic link …), or RangeError for a
 *   file that is no regular one or too long
 */
export function readBounded(path: string, maxBytes: number): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new RangeError(`${path} is no regular file`);
    if (stat.size > maxBytes) throw new RangeError(`${path} is longer than ${maxBytes} bytes`);
    const buffer = Buffer.allocUnsafe(stat.size);
    let have = 0;
    while (have < buffer.length) {
      const count = readSync(fd, buffer, have, buffer.length - have, have);
      if (count === 0) break;
      have += count;
    }
    return buffer.toString('utf8', 0, have);
  } finally {
    closeSync(fd);
  }
}

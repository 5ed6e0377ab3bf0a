import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { ConfigurationError, errnoOf, PermissionError } from '../system/errors.ts';

/** More than any shared secret or password that a protocol here takes. */
const LONGEST_BYTES = 1024;

/** Read, write or search for everybody else (inode(7)). */
const ANY_RIGHT_OF_OTHERS = 0o007;
const WRITE_OF_GROUP = 0o020;

/**
 * Reads a shared secret or a password. Secrets come from files only: an argument shows in ps(1).
 *
 * The group may read it: that is how a file is shared with the daemon it belongs to, and how the
 * access list of a systemd credential shows in the mode (systemd.exec(5), LoadCredential=).
 *
 * @param flag the option that names the file, for messages: `--secret-file`
 * @param path of a regular file of 1 to 1024 bytes, not counting one newline at its end
 * @returns its bytes without that newline
 * @throws ConfigurationError when the file is missing, empty, too long, no regular file, or open
 *   to others
 * @throws PermissionError when it may not be read
 */
export function readSecretFile(flag: string, path: string): Buffer {
  const fd = openSecret(flag, path);
  try {
    const status = fstatSync(fd);
    if (!status.isFile()) throw new ConfigurationError(`${flag}: ${path} is no regular file`);
    if ((status.mode & ANY_RIGHT_OF_OTHERS) !== 0) {
      const mode = (status.mode & 0o777).toString(8).padStart(4, '0');
      throw new ConfigurationError(
        `${flag}: ${path} is open to everybody (mode ${mode}): chmod o= ${path}`,
      );
    }
    if ((status.mode & WRITE_OF_GROUP) !== 0) {
      throw new ConfigurationError(
        `${flag}: ${path} can be written by its group: chmod g-w ${path}`,
      );
    }
    const secret = withoutNewline(readAtMost(fd, LONGEST_BYTES + 2));
    if (secret.length === 0) throw new ConfigurationError(`${flag}: ${path} is empty`);
    if (secret.length > LONGEST_BYTES) {
      throw new ConfigurationError(`${flag}: ${path} is longer than ${LONGEST_BYTES} bytes`);
    }
    return secret;
  } finally {
    closeSync(fd);
  }
}

function openSecret(flag: string, path: string): number {
  try {
    // O_NONBLOCK: a FIFO without a writer must not keep the pass waiting.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    const code = errnoOf(error);
    if (code === undefined) throw error;
    if (code === 'EACCES' || code === 'EPERM') {
      throw new PermissionError(`${flag}: ${path} may not be read (${code})`, { cause: error });
    }
    throw new ConfigurationError(`${flag}: ${path} cannot be read (${code})`, { cause: error });
  }
}

function readAtMost(fd: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let have = 0;
  while (have < length) {
    const count = readSync(fd, bytes, have, length - have, null);
    if (count === 0) break;
    have += count;
  }
  return bytes.subarray(0, have);
}

/** Editors and echo(1) end the file with a newline that is no part of the secret. */
function withoutNewline(bytes: Buffer): Buffer {
  return bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes;
}

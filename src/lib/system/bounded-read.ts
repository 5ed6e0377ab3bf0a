import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

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

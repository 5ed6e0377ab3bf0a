import { closeSync, openSync, readSync } from 'node:fs';

/**
 * Bytes from the kernel's generator (random(4)). Loading node:crypto for the few that a pass
 * needs would cost more than the rest of the pass.
 */
export function randomBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  const fd = openSync('/dev/urandom', 'r');
  try {
    for (let have = 0; have < count;) have += readSync(fd, bytes, have, count - have, null);
  } finally {
    closeSync(fd);
  }
  return bytes;
}

/** A label of `2 × byteCount` lower-case hexadecimal digits. */
export function randomHex(byteCount: number): string {
  return Buffer.from(randomBytes(byteCount)).toString('hex');
}

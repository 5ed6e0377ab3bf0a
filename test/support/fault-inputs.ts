/** A source of numbers in [0, 1), always the same ones for the same seed. */
export type Random = () => number;

export function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

export function oneOf<T>(random: Random, choices: readonly [T, ...T[]]): T {
  return choices[below(random, choices.length)] ?? choices[0];
}

/** A copy with some bytes changed, put in, left out, repeated, or cut off: up to eight times. */
export function mutateBytes(sound: Buffer, random: Random): Buffer {
  let bytes = Buffer.from(sound);
  for (let count = 1 + below(random, 8); count > 0; count--) {
    const at = below(random, bytes.length + 1);
    switch (below(random, 7)) {
      case 0:
        bytes = bytes.subarray(0, at);
        break;
      case 1:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(random, 4))]);
        break;
      case 2:
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.alloc(1 + below(random, 20), below(random, 256)),
          bytes.subarray(at),
        ]);
        break;
      case 3:
        bytes = Buffer.concat([bytes, bytes.subarray(at, at + 300)]);
        break;
      case 4: // numbers at the ends of their range, where lengths and counts stand
        if (at + 2 <= bytes.length) {
          bytes.writeUInt16BE(oneOf(random, [0, 1, 0x7fff, 0x8000, 0xffff, 0xc00c, 0xc000]), at);
        }
        break;
      default:
        if (at < bytes.length) bytes[at] = below(random, 256);
    }
  }
  return bytes;
}

/** Cuts bytes into the pieces in which a network may deliver them. */
export function* pieces(bytes: Buffer, random: Random): Generator<Buffer> {
  const longest = bytes.length > 10_000 ? 70_000 : oneOf(random, [1, 7, 100, 70_000]);
  for (let at = 0; at < bytes.length;) {
    const length = 1 + below(random, longest);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

const FRAGMENTS = [
  ...['HTTP/1.1 200 OK', 'HTTP/1.1 100 Continue', 'HTTP/1.0 204', 'HTTP/9.9 999 x', 'HTTP/1.1 '],
  ...['Content-Length: 5', 'Content-Length: 5, 5', 'Content-Length: 99999999999999999999'],
  ...['Content-Length: -1', 'Transfer-Encoding: chunked', 'Transfer-Encoding: gzip , chunked'],
  ...['Transfer-Encoding: chunked, identity', 'X:\t  folded', ' continued', ': no name', 'a b: c'],
  ...['5', '0', 'ffffffffffff', 'fffffffffffffffff', '5;ext="x"', 'hello', 'hello\r\n0', '\0', 'é'],
] as const;

/** Something like an HTTP response: lines and pieces of them in any order, often in a sound one. */
export function httpAnswer(random: Random): Buffer {
  const ends = ['\r\n', '\r\n', '\r\n', '\n', '\r', ''] as const;
  const parts = random() < 0.8 ? ['HTTP/1.1 200 OK\r\n'] : [];
  for (let count = below(random, 12); count > 0; count--) {
    const fragment = FRAGMENTS[below(random, FRAGMENTS.length)] ?? '';
    const repeated = random() < 0.02 ? fragment.repeat(below(random, 3000)) : fragment;
    parts.push(repeated, oneOf(random, ends));
    if (random() < 0.2) parts.push('\r\n');
  }
  return Buffer.from(parts.join(''), 'latin1');
}

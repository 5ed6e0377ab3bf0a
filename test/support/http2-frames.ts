/** Frames of HTTP/2 as a server sends them, byte by byte (RFC 9113 section 4.1). */
export const FRAME = {
  data: 0,
  headers: 1,
  resetStream: 3,
  settings: 4,
  goAway: 7,
  continuation: 9,
};
export const FLAG = { endStream: 1, endHeaders: 4 } as const;

export function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export const NO_SETTINGS = frame(FRAME.settings, 0, 0, Buffer.alloc(0));

/** A field without Huffman code and without index (RFC 7541 section 6.2.2). */
export function field(name: string, value: string): Buffer {
  const bytes = [0, name.length, ...Buffer.from(name), value.length, ...Buffer.from(value)];
  return Buffer.from(bytes);
}

/** A whole answer of status 200 to the first request. */
export function answer(type: string, body: Buffer): Buffer {
  const fields = Buffer.concat([field(':status', '200'), field('content-type', type)]);
  return Buffer.concat([
    NO_SETTINGS,
    frame(FRAME.headers, FLAG.endHeaders, 1, fields),
    frame(FRAME.data, FLAG.endStream, 1, body),
  ]);
}

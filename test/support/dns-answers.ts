import { decode, encode, type Answer, type OptAnswer, type Question } from 'dns-packet';

/** What an answer that a test builds differs in from a plain right one. */
export interface AnswerShape {
  readonly id?: number;
  readonly rcode?: number;
  /** Header bits beside QR; RD and RA by default. */
  readonly flags?: number;
  readonly questions?: Question[];
  readonly answers?: Answer[];
  readonly authorities?: Answer[];
  readonly additionals?: Answer[];
}

export const FLAG = { aa: 1 << 10, tc: 1 << 9, rd: 1 << 8, ra: 1 << 7, ad: 1 << 5 } as const;
export const PLAIN_FLAGS = FLAG.rd | FLAG.ra;

export const ROOT_SOA: Answer = {
  type: 'SOA',
  name: '.',
  ttl: 5,
  data: {
    mname: 'a.root.test',
    rname: 'hostmaster.root.test',
    serial: 2024010101,
    refresh: 1800,
    retry: 900,
    expire: 604800,
    minimum: 5,
  },
};

/** A right answer to a query as it was received, but for the shape given. */
export function answerTo(query: Buffer, shape: AnswerShape = {}): Buffer {
  const asked = decode(query);
  return encode({
    type: 'response',
    id: shape.id ?? asked.id,
    flags: (shape.flags ?? PLAIN_FLAGS) | (shape.rcode ?? 0),
    questions: shape.questions ?? asked.questions,
    answers: shape.answers ?? [ROOT_SOA],
    authorities: shape.authorities,
    additionals: shape.additionals,
  });
}

/** An OPT record, with the upper bits of the response code. */
export function opt(extendedRcode = 0): OptAnswer {
  return {
    type: 'OPT',
    name: '.',
    udpPayloadSize: 1232,
    extendedRcode,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
}

/**
 * An answer whose sections are given byte by byte, for what no encoder makes.
 *
 * @param answerCount what the header says, whatever the records are
 */
export function rawAnswerTo(query: Buffer, answerCount: number, ...records: Buffer[]): Buffer {
  const head = answerTo(query, { answers: [] });
  head.writeUInt16BE(answerCount, 6);
  return Buffer.concat([head, ...records]);
}

/** A record in wire form, in class IN. */
export function rawRecord(name: Buffer, type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(1, 2);
  head.writeUInt16BE(data.length, 8);
  return Buffer.concat([name, head, data]);
}

/** A name that is only a pointer (RFC 1035 section 4.1.4). */
export function pointer(offset: number): Buffer {
  return Buffer.from([0xc0 | (offset >> 8), offset & 0xff]);
}

/** A message as TCP carries it (RFC 7766 section 8). */
export function framed(message: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([message.length >> 8, message.length & 0xff]), message]);
}

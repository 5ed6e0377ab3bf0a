import { errnoOf, messageOf } from '../../system/errors.ts';
import { labelsAt } from './dns-name.ts';
import { RCODES, TYPE_OPT } from './dns-numbers.ts';
import type { DnsRecord } from './dns-record.ts';

/** What an answer to our question says. */
export interface DnsReply {
  /** Whether it is cut off, and holds nothing else to rely on (RFC 2181 section 9). */
  readonly truncated: boolean;
  /** With the upper bits that EDNS adds (RFC 6891 section 6.1.3). */
  readonly rcode: number;
  readonly flags: { readonly aa: boolean; readonly ra: boolean; readonly ad: boolean };
  readonly answers: readonly DnsRecord[];
  /** What the server says of the answer beyond its code (RFC 8914). */
  readonly extendedErrors: readonly ExtendedError[];
}

export interface ExtendedError {
  readonly code: number;
  /** For people, and from a stranger; often empty. */
  readonly text: string;
}

/** Why a message is no answer to our question. */
export interface Unacceptable {
  /** Fits behind 'ignored'. */
  readonly fault: string;
  /** False for a wrong id: it may be late for another question, or a stranger's guess. */
  readonly malformed: boolean;
}

export type Reading =
  | { readonly kind: 'reply'; readonly reply: DnsReply }
  | ({ readonly kind: 'unacceptable' } & Unacceptable);

/** RFC 1035 section 4.1.1 */
const HEADER_BYTES = 12;
/** Behind a record's name: type, class, TTL, data length (RFC 1035 section 4.1.3). */
const RECORD_HEAD_BYTES = 10;
/** RFC 8914 section 2 */
const OPTION_EXTENDED_ERROR = 15;

/** How long the data of an address is: A (RFC 1035 section 3.4.1), AAAA (RFC 3596 section 2.2). */
const DATA_BYTES: ReadonlyMap<number, number> = new Map([
  [1, 4],
  [28, 16],
]);

/** Answers that some servers send without repeating the question. */
const WITHOUT_QUESTION: readonly number[] = [
  RCODES.FORMERR,
  RCODES.SERVFAIL,
  RCODES.NOTIMP,
  RCODES.REFUSED,
];

/**
 * Reads a message that may be the answer to a query. Never throws, and takes time in proportion to
 * the message's length.
 *
 * @param message what came from the server, without the length that TCP puts before it
 * @param query the message that was sent, with one question
 * @param maxBytes the longest answer that the query allowed
 */
export function readReply(message: Buffer, query: Buffer, maxBytes: number): Reading {
  if (message.length < HEADER_BYTES) {
    return unacceptable(`${message.length} bytes, too few for DNS`);
  }
  if (message.readUInt16BE(0) !== query.readUInt16BE(0)) return unacceptable('a wrong id', false);

  const bits = message.readUInt16BE(2);
  const rcode = bits & 0xf;
  if (!isSet(bits, 15)) return unacceptable('a query in place of an answer (QR clear)');
  if (((bits >> 11) & 0xf) !== 0) return unacceptable('an answer to another operation (opcode)');
  if (!repeatsQuestion(message, query, rcode)) return unacceptable('a wrong question');

  const truncated = isSet(bits, 9);
  const flags = { aa: isSet(bits, 10), ra: isSet(bits, 7), ad: isSet(bits, 5) };
  if (truncated) {
    return { kind: 'reply', reply: { truncated, rcode, flags, answers: [], extendedErrors: [] } };
  }
  if (message.length > maxBytes) {
    return unacceptable(`${message.length} bytes where ${maxBytes} were allowed`);
  }
  try {
    const { answers, edns } = readSections(message, typeAsked(query));
    const upperRcode = edns === undefined ? 0 : message.readUInt8(edns.dataStart - 6); // the TTL's first byte
    const extendedErrors = edns === undefined ? [] : readErrors(edns);
    return {
      kind: 'reply',
      reply: { truncated, rcode: (upperRcode << 4) | rcode, flags, answers, extendedErrors },
    };
  } catch (error) {
    // Node's own error is that of a read over the end, and speaks of offsets.
    const fault = errnoOf(error) === undefined ? messageOf(error) : 'cut short';
    return unacceptable(`a malformed answer (${fault})`);
  }
}

function unacceptable(fault: string, malformed = true): Reading {
  return { kind: 'unacceptable', fault, malformed };
}

function isSet(bits: number, position: number): boolean {
  return ((bits >> position) & 1) === 1;
}

/** Whether name, type and class of the only question are ours, compared without case (RFC 4343). */
function repeatsQuestion(message: Buffer, query: Buffer, rcode: number): boolean {
  const count = message.readUInt16BE(4);
  if (count === 0) return WITHOUT_QUESTION.includes(rcode);
  if (count !== 1) return false;
  const nameEnd = skipName(query, HEADER_BYTES);
  const end = nameEnd + 4;
  if (message.length < end) return false;
  for (let at = HEADER_BYTES; at < end; at += 1) {
    const [ours, theirs] = [query[at] ?? 0, message[at] ?? 0];
    // A length byte is below 64, so within the name only letters are changed.
    if (at < nameEnd ? toLower(ours) !== toLower(theirs) : ours !== theirs) return false;
  }
  return true;
}

function typeAsked(query: Buffer): number {
  return query.readUInt16BE(skipName(query, HEADER_BYTES));
}

function toLower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

/** The answers, and EDNS's record; the rest is only checked to be there. */
function readSections(
  message: Buffer,
  askedType: number,
): { answers: DnsRecord[]; edns: DnsRecord | undefined } {
  let at = HEADER_BYTES;
  for (let left = message.readUInt16BE(4); left > 0; left -= 1) at = skipName(message, at) + 4;

  const answers: DnsRecord[] = [];
  for (let left = message.readUInt16BE(6); left > 0; left -= 1) {
    const record = placeRecord(message, at);
    labelsAt(message, at); // it has to have an end
    const bytes = record.end - record.dataStart;
    if (record.type === askedType && bytes !== (DATA_BYTES.get(askedType) ?? bytes)) {
      throw new RangeError('the data is longer or shorter than its type');
    }
    answers.push(record);
    at = record.end;
  }
  let edns: DnsRecord | undefined;
  const others = message.readUInt16BE(8) + message.readUInt16BE(10);
  for (let left = others; left > 0; left -= 1) {
    const place = placeRecord(message, at);
    at = place.end;
    if (place.type !== TYPE_OPT) continue;
    if (edns !== undefined) throw new RangeError('more than one OPT record');
    edns = place;
  }
  return { answers, edns };
}

/** RFC 8914 section 2. What does not fit is passed over: nobody asked for it. */
function readErrors({ message, dataStart, end }: DnsRecord): readonly ExtendedError[] {
  const errors: ExtendedError[] = [];
  for (let at = dataStart; at + 4 <= end;) {
    const valueStart = at + 4;
    const valueEnd = valueStart + message.readUInt16BE(at + 2);
    if (valueEnd > end) break;
    if (message.readUInt16BE(at) === OPTION_EXTENDED_ERROR && valueEnd >= valueStart + 2) {
      // Text is UTF-8 and need not end with a NUL.
      const text = message.toString('utf8', valueStart + 2, valueEnd).replace(/\0+$/, '');
      errors.push({ code: message.readUInt16BE(valueStart), text });
    }
    at = valueEnd;
  }
  return errors;
}

function placeRecord(message: Buffer, start: number): DnsRecord {
  const nameEnd = skipName(message, start);
  const dataStart = nameEnd + RECORD_HEAD_BYTES;
  const end = dataStart + message.readUInt16BE(dataStart - 2);
  if (end > message.length) throw new RangeError('a record runs over the end');
  return {
    message,
    start,
    type: message.readUInt16BE(nameEnd),
    class: message.readUInt16BE(nameEnd + 2),
    dataStart,
    end,
  };
}

/** The offset behind a name, which ends with the root label or a pointer (RFC 1035 section 4.1.4). */
function skipName(message: Buffer, start: number): number {
  let at = start;
  for (;;) {
    const length = message.readUInt8(at);
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2;
    if (length > 63) throw new RangeError('a name with an unknown kind of label');
    at += 1 + length;
  }
}

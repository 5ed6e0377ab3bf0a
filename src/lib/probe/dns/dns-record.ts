import { answer, type Answer } from 'dns-packet';
import { formatName, labelsAt, LONGEST_POINTER_CHAIN } from './dns-name.ts';
import { typeName } from './dns-numbers.ts';

/**
 * A record of an answer section, as it stands in its message: what nobody asks to match is not
 * decoded, so nothing in it can make an answer wrong.
 */
export interface DnsRecord {
  /** All of it, because names point back into it. */
  readonly message: Buffer;
  /** Where the record begins in it, in bytes. */
  readonly start: number;
  readonly type: number;
  readonly class: number;
  readonly dataStart: number;
  readonly end: number;
}

declare module 'dns-packet' {
  // A part of a message; the library exports it without declaring it.
  export const answer: {
    readonly decode: ((message: Buffer, offset: number) => Answer) & { readonly bytes: number };
  };
}

/** Types whose data the library decodes soundly, and `present` knows: A to RRSIG, by number. */
const DECODED: ReadonlySet<number> = new Set([
  1, 2, 5, 6, 12, 13, 15, 16, 28, 33, 35, 39, 43, 46, 48, 52, 257,
]);

/**
 * Records of one message as they are matched and shown: `NAME TYPE DATA`, each printable ASCII on
 * one line. Takes time in proportion to the message's length.
 */
export function formatRecords(records: readonly DnsRecord[]): readonly string[] {
  const [first] = records;
  const isCostly = first !== undefined && hasPointerChain(first.message);
  return records.map((record) => formatRecord(record, isCostly));
}

/**
 * The library follows a name's pointers however many follow one another, as long as each leads
 * back: a long message full of names at the end of a long chain would keep it busy for a second.
 */
function hasPointerChain(message: Buffer): boolean {
  const chainLengths = new Uint8Array(message.length);
  for (let at = 0; at + 1 < message.length; at += 1) {
    if ((message[at] ?? 0) < 0xc0) continue;
    const target = message.readUInt16BE(at) & 0x3fff;
    if (target >= at) continue; // refused by the library
    const chainLength = (chainLengths[target] ?? 0) + 1;
    if (chainLength > LONGEST_POINTER_CHAIN) return true;
    chainLengths[at] = chainLength;
  }
  return false;
}

/**
 * Data that have no presentation here, or are not what their type says, are shown as bytes (RFC
 * 3597), and so are all where names are not decoded.
 */
function formatRecord(record: DnsRecord, withoutNames: boolean): string {
  const { message, start, type, dataStart, end } = record;
  if (withoutNames) return `? ${typeName(type)} ${generic(message.subarray(dataStart, end))}`;
  const owner = orUndefined(() => formatName(labelsAt(message.subarray(0, end), start)));
  const data = orUndefined(() => decoded(record)) ?? generic(message.subarray(dataStart, end));
  return `${owner ?? '?'} ${typeName(type)} ${data}`;
}

/** The data in the presentation format of their type; undefined where there is none. */
function decoded({ message, start, type, end }: DnsRecord): string | undefined {
  if (!DECODED.has(type)) return undefined;
  // Cut off behind the record, so that a decoder which runs over its end fails.
  const record = answer.decode(message.subarray(0, end), start);
  return answer.decode.bytes === end - start ? escaped(present(record)) : undefined;
}

/** RFC 3597 section 5 */
function generic(data: Buffer): string {
  return words('\\#', data.length, ...(data.length > 0 ? [hex(data)] : []));
}

/** The library throws errors of any class at what it does not understand. */
function orUndefined<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}

/** Presentation formats: RFC 1035 section 5, and the RFC of each type. */
function present(record: Answer): string {
  switch (record.type) {
    case 'A':
      return record.data;
    case 'AAAA': // The library shortens the first run of zeros, RFC 5952 the longest.
      return new URL(`http://[${record.data}]/`).hostname.slice(1, -1);
    case 'CNAME':
    case 'DNAME':
    case 'NS':
    case 'PTR':
      return absolute(record.data);
    case 'SOA': {
      const { mname, rname, serial, refresh, retry, expire, minimum } = record.data;
      return words(absolute(mname), absolute(rname), serial, refresh, retry, expire, minimum);
    }
    case 'MX':
      return words(record.data.preference, absolute(record.data.exchange));
    case 'TXT':
      return [record.data].flat().map(quoted).join(' ');
    case 'HINFO':
      return words(quoted(record.data.cpu), quoted(record.data.os));
    case 'SRV': {
      const { priority, weight, port, target } = record.data; // RFC 2782
      return words(priority, weight, port, absolute(target));
    }
    case 'CAA':
      return words(record.data.flags, record.data.tag, quoted(record.data.value)); // RFC 8659
    case 'NAPTR': {
      const { order, preference, flags, services, regexp, replacement } = record.data; // RFC 3403
      const texts = [flags, services, regexp].map(quoted);
      return words(order, preference, ...texts, absolute(replacement));
    }
    case 'DS': {
      const { keyTag, algorithm, digestType, digest } = record.data; // RFC 4034 section 5.3
      return words(keyTag, algorithm, digestType, hex(digest));
    }
    case 'DNSKEY': {
      const { flags, algorithm, key } = record.data; // RFC 4034 section 2.2: the protocol is 3
      return words(flags, 3, algorithm, key.toString('base64'));
    }
    case 'RRSIG': {
      const { typeCovered, algorithm, labels, originalTTL, signersName } = record.data;
      const { expiration, inception, keyTag, signature } = record.data; // RFC 4034 section 3.2
      const covered = words(typeCovered, algorithm, labels, originalTTL);
      const validity = words(expiration, inception, keyTag);
      return words(covered, validity, absolute(signersName), signature.toString('base64'));
    }
    case 'TLSA': {
      const { usage, selector, matchingType, certificate } = record.data; // RFC 6698 section 2.2
      return words(usage, selector, matchingType, hex(certificate));
    }
    default:
      throw new TypeError(`no presentation of ${record.type}`);
  }
}

function words(...parts: (string | number | undefined)[]): string {
  return parts.join(' ');
}

function hex(bytes: Buffer): string {
  return bytes.toString('hex').toUpperCase();
}

function absolute(domain: string): string {
  return domain.endsWith('.') ? domain : `${domain}.`;
}

function quoted(text: string | Buffer): string {
  // One character per byte, so that `escaped` writes each byte that is not ASCII.
  const characters = typeof text === 'string' ? text : text.toString('latin1');
  return `"${characters.replace(/["\\]/g, '\\$&')}"`;
}

/** Answers go into messages for people: no control character may get there (RFC 1035 section 5.1). */
function escaped(text: string): string {
  return text.replace(
    /[^ -~]/gu,
    (character) => `\\${String(character.codePointAt(0)).padStart(3, '0')}`,
  );
}

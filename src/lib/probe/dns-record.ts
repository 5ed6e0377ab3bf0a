import { answer, name, type Answer } from 'dns-packet';
import { parseAddress } from '../system/ip-address.ts';
import { typeName } from './dns-numbers.ts';

/** A record of an answer section. */
export interface DnsRecord {
  /** The owner with its trailing dot. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** The data in presentation format, printable ASCII on one line. */
  readonly data: string;
}

/** Where a record is in its message, in bytes from the message's beginning. */
export interface RecordPlace {
  readonly start: number;
  readonly type: number;
  readonly class: number;
  readonly dataStart: number;
  readonly end: number;
}

declare module 'dns-packet' {
  // Parts of a message; the library exports them without declaring them.
  export const name: { readonly decode: (message: Buffer, offset: number) => string };
  export const answer: {
    readonly decode: ((message: Buffer, offset: number) => Answer) & { readonly bytes: number };
  };
}

/** Types whose data the library decodes soundly, and `present` knows: A to RRSIG, by number. */
const DECODED: ReadonlySet<number> = new Set([
  1, 2, 5, 6, 12, 13, 15, 16, 28, 33, 35, 39, 43, 46, 48, 52, 257,
]);

/**
 * Decodes one record.
 *
 * @param message the whole message, because names point back into it
 * @throws Error of any class when the record is malformed
 */
export function readRecord(message: Buffer, place: RecordPlace): DnsRecord {
  // Cut off behind the record, so that a decoder which runs over its end fails.
  const upToEnd = message.subarray(0, place.end);
  if (DECODED.has(place.type)) {
    const record = answer.decode(upToEnd, place.start);
    if (answer.decode.bytes !== place.end - place.start) {
      throw new RangeError('the data is longer or shorter than its type');
    }
    return { ...head(record.name, place), data: escaped(present(record)) };
  }
  const data = upToEnd.subarray(place.dataStart);
  const generic = words('\\#', data.length, ...(data.length > 0 ? [hex(data)] : []));
  return { ...head(name.decode(upToEnd, place.start), place), data: generic }; // RFC 3597 section 5
}

/** The record as it is matched and shown: `NAME TYPE DATA`. */
export function formatRecord(record: DnsRecord): string {
  return `${record.name} ${typeName(record.type)} ${record.data}`;
}

function head(owner: string, place: RecordPlace): Pick<DnsRecord, 'name' | 'type' | 'class'> {
  return { name: escaped(absolute(owner)), type: place.type, class: place.class };
}

/** Presentation formats: RFC 1035 section 5, and the RFC of each type. */
function present(record: Answer): string {
  switch (record.type) {
    case 'A':
      return record.data;
    case 'AAAA': // The library shortens the first run of zeros, RFC 5952 the longest.
      return record.data.startsWith('::ffff:') ? record.data : parseAddress(record.data).text;
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

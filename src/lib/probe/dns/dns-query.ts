import { encode } from 'dns-packet';
import { randomHex } from '../../system/random.ts';
import { isAskable, RECORD_TYPES, typeName } from './dns-numbers.ts';

/** What to ask for, in class IN. */
export interface DnsQuery {
  /** An absolute name with its trailing dot; may hold the placeholder `{nonce}`. */
  readonly name: string;
  readonly type: number;
}

/** How to ask. */
export interface QueryStyle {
  /** Sets DO, which asks for signatures, and AD. */
  readonly dnssec: boolean;
  /** Sets AD, which says that we understand that flag in the answer (RFC 6840 section 5.7). */
  readonly wantsAuthenticData: boolean;
  /** The UDP answer we take, as EDNS announces it; 0: no EDNS (RFC 6891 section 6.2.3). */
  readonly ednsSizeBytes: number;
}

const PLACEHOLDER = '{nonce}';
/** 128 bits: no two questions ever share a name. */
const NONCE_BYTES = 16;

// RFC 1035 section 2.3.4
const LONGEST_LABEL = 63;
const LONGEST_NAME = 253; // as text without the trailing dot; 255 bytes on the wire

const HEADER_RD = 1 << 8; // RFC 1035 section 4.1.1
const HEADER_AD = 1 << 5; // RFC 4035 section 3.1.6
const EDNS_DO = 1 << 15; // RFC 3225

declare module 'dns-packet' {
  // The library encodes every type number under such a name; its type declarations leave them out.
  export function encode(packet: {
    type: 'query';
    id: number;
    flags: number;
    questions: { name: string; type: `UNKNOWN_${number}` }[];
    additionals: OptAnswer[];
  }): Buffer;
}

/**
 * Reads `NAME [TYPE]`; the type is A when it is left out.
 *
 * @throws RangeError with a message that fits behind the name of a flag
 */
export function parseQuery(text: string): DnsQuery {
  const [name = '', type = 'A', ...excess] = text.trim().split(/[ \t]+/);
  if (excess.length > 0) throw new RangeError(`'${text}' is more than a name and a type`);
  return { name: parseName(name), type: parseType(type) };
}

function parseName(text: string): string {
  if (text === '') throw new RangeError('must be a name, or a name and a type');
  if (text === '.') return text;
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  const longest = name.replaceAll(PLACEHOLDER, '0'.repeat(NONCE_BYTES * 2));
  for (const label of longest.split('.')) {
    if (label === '') throw new RangeError(`'${text}' has an empty label`);
    if (!/^[A-Za-z0-9_*+/-]+$/.test(label)) {
      throw new RangeError(
        `'${text}' has other characters than letters, digits and - _ * + / (write an international name in its xn-- form)`,
      );
    }
    if (label.length > LONGEST_LABEL) {
      throw new RangeError(`'${text}' has a label of more than ${LONGEST_LABEL} characters`);
    }
  }
  if (longest.length > LONGEST_NAME) {
    throw new RangeError(`'${text}' is longer than ${LONGEST_NAME} characters`);
  }
  return `${name}.`;
}

function parseType(text: string): number {
  const generic = /^TYPE(\d{1,5})$/i.exec(text)?.[1]; // RFC 3597 section 5
  const type =
    generic === undefined ? RECORD_TYPES.get(text.toUpperCase()) : Number.parseInt(generic, 10);
  if (type === undefined || !isAskable(type)) {
    throw new RangeError(`'${text}' is no record type that can be asked for`);
  }
  return type;
}

/** The question for people, its placeholder as it was given: `. SOA`. */
export function formatQuery(query: DnsQuery): string {
  return `${query.name} ${typeName(query.type)}`;
}

/** The name to ask for now: every placeholder becomes a random text of its own. */
export function instantiateName(query: DnsQuery): string {
  return query.name.replaceAll(PLACEHOLDER, () => randomHex(NONCE_BYTES));
}

/** The wire form of a question that wants recursion (RFC 1035 section 4). */
export function encodeQuery(id: number, name: string, type: number, style: QueryStyle): Buffer {
  const opt = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: style.ednsSizeBytes,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: style.dnssec ? EDNS_DO : 0,
    flag_do: style.dnssec,
    options: [],
  } as const;
  return encode({
    type: 'query',
    id,
    flags: HEADER_RD | (style.dnssec || style.wantsAuthenticData ? HEADER_AD : 0),
    questions: [{ name, type: `UNKNOWN_${type}` }],
    additionals: style.ednsSizeBytes > 0 ? [{ ...opt, options: [] }] : [],
  });
}

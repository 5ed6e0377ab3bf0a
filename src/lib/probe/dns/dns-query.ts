import { nearest } from '../../options/nearest.ts';
import { parseExpectations, type OwnExpectation } from './dns-expectation.ts';
import { encodeName, parseName } from './dns-name.ts';
import { CLASS_IN, className, isAskable, RECORD_TYPES, TYPE_OPT, typeName } from './dns-numbers.ts';

/** What to ask for. */
export interface DnsQuery {
  /** An absolute name with its trailing dot; may hold escapes and the placeholder `{nonce}`. */
  readonly name: string;
  readonly type: number;
  /** What its answer has to be in place of what all have to be. */
  readonly expected: OwnExpectation;
}

/** How to ask. */
export interface QueryStyle {
  readonly class: number;
  /** Sets DO, which asks for signatures, and AD. */
  readonly dnssec: boolean;
  /** Sets AD, which says that we understand that flag in the answer (RFC 6840 section 5.7). */
  readonly wantsAuthenticData: boolean;
  /** Sets CD: the server is not to check signatures (RFC 4035 section 3.2.2). */
  readonly checkingDisabled: boolean;
  /** The UDP answer we take, as EDNS announces it; 0: no EDNS (RFC 6891 section 6.2.3). */
  readonly ednsSizeBytes: number;
}

const HEADER_RD = 1 << 8; // RFC 1035 section 4.1.1
const HEADER_AD = 1 << 5; // RFC 4035 section 3.1.6
const HEADER_CD = 1 << 4;
const EDNS_DO = 1 << 15; // RFC 3225

/**
 * Reads `NAME [TYPE] [KEY=VALUE…]`; the type is A when it is left out.
 *
 * @throws RangeError with a message that fits behind the name of a flag
 */
export function parseQuery(text: string): DnsQuery {
  const query = text.trim();
  const at = query.search(/(?:^|[ \t])[^ \t=]*=/);
  const asked = at === -1 ? query : query.slice(0, at);
  const [name = '', type = 'A', ...excess] = asked.split(/[ \t]+/);
  if (excess.length > 0) throw new RangeError(`'${text}' is more than a name and a type`);
  return {
    name: parseName(name),
    type: parseType(type),
    expected: at === -1 ? {} : parseExpectations(query.slice(at)),
  };
}

function parseType(text: string): number {
  const given = text.toUpperCase();
  const generic = /^TYPE(\d{1,5})$/.exec(given)?.[1]; // RFC 3597 section 5
  const type = generic === undefined ? RECORD_TYPES.get(given) : Number.parseInt(generic, 10);
  if (type === undefined || !isAskable(type)) {
    const meant = nearest(given, [...RECORD_TYPES.keys()]);
    const hint = generic !== undefined || meant === undefined ? '' : ` (did you mean ${meant}?)`;
    throw new RangeError(`'${text}' is no record type that can be asked for${hint}`);
  }
  return type;
}

/** The question for people, its placeholder as it was given: `. SOA`, `version.bind. CH TXT`. */
export function formatQuery({ name, type }: DnsQuery, ofClass: number): string {
  const shown = ofClass === CLASS_IN ? [] : [className(ofClass)];
  return [name, ...shown, typeName(type)].join(' ');
}

/** The wire form of a question that wants recursion (RFC 1035 section 4). */
export function encodeQuery(id: number, name: string, type: number, style: QueryStyle): Buffer {
  const { ednsSizeBytes, dnssec } = style;
  const flags =
    HEADER_RD |
    (dnssec || style.wantsAuthenticData ? HEADER_AD : 0) |
    (style.checkingDisabled ? HEADER_CD : 0);
  const hasEdns = ednsSizeBytes > 0;
  const header = uint16s(id, flags, 1, 0, 0, hasEdns ? 1 : 0);
  const question = [encodeName(name), uint16s(type, style.class)];
  // The root's name, OPT, the size, no upper bits and version 0, flags, no options.
  const edns = [Buffer.of(0), uint16s(TYPE_OPT, ednsSizeBytes, 0, dnssec ? EDNS_DO : 0, 0)];
  return Buffer.concat([header, ...question, ...(hasEdns ? edns : [])]);
}

function uint16s(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(2 * numbers.length);
  for (const [index, number] of numbers.entries()) bytes.writeUInt16BE(number, 2 * index);
  return bytes;
}

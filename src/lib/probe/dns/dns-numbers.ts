/** Names and numbers of the IANA registry "Domain Name System (DNS) Parameters". */

/** Record types that a question may name; those of zone transfers and transactions are left out. */
export const RECORD_TYPES: ReadonlyMap<string, number> = new Map([
  ['A', 1],
  ['NS', 2],
  ['CNAME', 5],
  ['SOA', 6],
  ['NULL', 10],
  ['PTR', 12],
  ['HINFO', 13],
  ['MX', 15],
  ['TXT', 16],
  ['RP', 17],
  ['AFSDB', 18],
  ['SIG', 24],
  ['KEY', 25],
  ['AAAA', 28],
  ['LOC', 29],
  ['SRV', 33],
  ['NAPTR', 35],
  ['KX', 36],
  ['CERT', 37],
  ['DNAME', 39],
  ['APL', 42],
  ['DS', 43],
  ['SSHFP', 44],
  ['IPSECKEY', 45],
  ['RRSIG', 46],
  ['NSEC', 47],
  ['DNSKEY', 48],
  ['DHCID', 49],
  ['NSEC3', 50],
  ['NSEC3PARAM', 51],
  ['TLSA', 52],
  ['SMIMEA', 53],
  ['HIP', 55],
  ['CDS', 59],
  ['CDNSKEY', 60],
  ['OPENPGPKEY', 61],
  ['CSYNC', 62],
  ['ZONEMD', 63],
  ['SVCB', 64],
  ['HTTPS', 65],
  ['SPF', 99],
  ['EUI48', 108],
  ['EUI64', 109],
  ['ANY', 255],
  ['URI', 256],
  ['CAA', 257],
]);

export const TYPE_OPT = 41;
export const TYPE_ANY = 255;
export const CLASS_IN = 1;
export const CLASS_CH = 3;

/** A class's mnemonic, or CLASS with its number (RFC 3597 section 5). */
export function className(number: number): string {
  if (number === CLASS_IN) return 'IN';
  return number === CLASS_CH ? 'CH' : `CLASS${number}`;
}

/** The numbers that no question may ask for: OPT, then TKEY to MAILA (RFC 6895 section 3.1). */
export function isAskable(type: number): boolean {
  return type > 0 && type < 65_535 && type !== TYPE_OPT && (type < 249 || type > 254);
}

const TYPE_NAMES: ReadonlyMap<number, string> = new Map(
  [...RECORD_TYPES].map(([name, type]) => [type, name]),
);

/** A type's mnemonic, or TYPE with its number (RFC 3597 section 5). */
export function typeName(type: number): string {
  return TYPE_NAMES.get(type) ?? `TYPE${type}`;
}

/** Response codes of the header, and those that EDNS extends it to (RFC 6891 section 6.1.3). */
export const RCODES = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  YXRRSET: 7,
  NXRRSET: 8,
  NOTAUTH: 9,
  NOTZONE: 10,
  DSOTYPENI: 11,
  BADVERS: 16,
  BADCOOKIE: 23,
} as const;

export type RcodeName = keyof typeof RCODES;

const RCODE_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(RCODES).map(([name, rcode]) => [rcode, name]),
);

/** A response code's mnemonic, or RCODE with its number. */
export function rcodeName(rcode: number): string {
  return RCODE_NAMES.get(rcode) ?? `RCODE${rcode}`;
}

/** Extended DNS Errors (RFC 8914 section 5.2, and what IANA's registry has since). */
const EXTENDED_ERRORS: readonly string[] = [
  'Other',
  'Unsupported DNSKEY Algorithm',
  'Unsupported DS Digest Type',
  'Stale Answer',
  'Forged Answer',
  'DNSSEC Indeterminate',
  'DNSSEC Bogus',
  'Signature Expired',
  'Signature Not Yet Valid',
  'DNSKEY Missing',
  'RRSIGs Missing',
  'No Zone Key Bit Set',
  'NSEC Missing',
  'Cached Error',
  'Not Ready',
  'Blocked',
  'Censored',
  'Filtered',
  'Prohibited',
  'Stale NXDOMAIN Answer',
  'Not Authoritative',
  'Not Supported',
  'No Reachable Authority',
  'Network Error',
  'Invalid Data',
  'Signature Expired before Valid',
  'Too Early',
  'Unsupported NSEC3 Iterations Value',
  'Unable to conform to policy',
  'Synthesized',
  'Invalid Query Type',
];

/** An extended error's number and, where it is known, its name: `3 Stale Answer`. */
export function extendedErrorName(code: number): string {
  const name = EXTENDED_ERRORS[code];
  return name === undefined ? String(code) : `${code} ${name}`;
}

/** The extended errors of an answer from a cache whose time was over: stale data, stale NXDOMAIN. */
export const STALE_ERRORS: readonly number[] = [3, 19];

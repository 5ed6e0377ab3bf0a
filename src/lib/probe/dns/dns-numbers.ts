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

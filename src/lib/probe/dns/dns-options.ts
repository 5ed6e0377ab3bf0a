import { RCODES, type RcodeName } from './dns-numbers.ts';
import type { DnsOptions } from './dns-probe.ts';
import { parseQuery } from './dns-query.ts';
import { UsageError } from '../../system/errors.ts';
import {
  flag,
  list,
  optional,
  value,
  type OptionTable,
  type ValueParser,
  type Values,
} from '../../options/option.ts';
import type { Prepared } from '../probe-program.ts';
import {
  endpoint,
  oneOf,
  positiveDuration,
  regularExpression,
  someOf,
  wholeNumber,
} from '../../options/value-parsers.ts';

const DNS_PORT = 53;
/** The largest UDP answer that is never fragmented (DNS flag day 2020). */
const EDNS_SIZE = 1232;
/** A server takes a smaller announcement for this one (RFC 6891 section 6.2.3). */
const MIN_EDNS_SIZE = 512;

const query = Object.assign(parseQuery, { metavar: "'NAME [TYPE]'" });

const ednsSize: ValueParser<number> = Object.assign(
  (text: string) => (text === '0' ? 0 : wholeNumber(MIN_EDNS_SIZE, 65_535)(text)),
  { metavar: 'BYTES' },
);

const rcodeNames = Object.keys(RCODES).filter(isRcodeName);

function isRcodeName(name: string): name is RcodeName {
  return name in RCODES;
}

/** The options of dns-probe. */
export const dnsOptions = {
  server: list(endpoint(DNS_PORT), {
    default: ['127.0.0.1'],
    describe:
      'Server to ask: an IPv4 address, or an IPv6 address, in brackets before a port. Repeatable.',
  }),
  query: list(query, {
    default: ['. SOA'],
    describe:
      'Name to ask for and the type of record, A when left out. {nonce} in a name becomes a random text of 32 characters, to get past caches. Repeatable.',
  }),
  require: value(oneOf('all', 'any'), {
    default: 'all',
    describe: 'Whether every server has to answer every query, or one answer is enough.',
  }),
  transport: value(oneOf('udp', 'tcp', 'both'), {
    default: 'udp',
    describe:
      'What to ask over; with both, each has to give a right answer. A UDP answer that is truncated is asked for again over TCP.',
  }),
  rcode: value(someOf(...rcodeNames), {
    default: 'NOERROR',
    describe: 'Response codes that are right, separated by commas.',
  }),
  answer: optional(regularExpression, {
    describe:
      'At least one record of the answer section has to match, as "NAME TYPE DATA" with trailing dots and without the TTL: "ok.example. A 192.0.2.99".',
  }),
  'min-answers': optional(wholeNumber(0, 65_535), {
    describe: 'Records of the asked type that the answer has to hold at least.',
    defaultNote: '1 if the answer is NOERROR, else 0',
  }),
  'require-flag': optional(someOf('ra', 'ad', 'aa'), {
    describe:
      'Header flags that have to be set, separated by commas: recursion available, authentic data (validated by DNSSEC), authoritative answer.',
  }),
  dnssec: flag({
    describe:
      'Ask for signatures (sets DO and AD). To demand that the answer was validated, add --require-flag ad.',
  }),
  'edns-size': value(ednsSize, {
    default: String(EDNS_SIZE),
    describe:
      'Largest UDP answer to take, 512 to 65535, as EDNS announces it; 0 asks without EDNS.',
  }),
  'max-latency': optional(positiveDuration, {
    describe: 'A right answer that takes longer is a failure. Of use only below --timeout.',
  }),
} as const satisfies OptionTable;

/**
 * The probe's options.
 *
 * @throws UsageError when options do not fit together
 */
export function prepareDns(values: Values<typeof dnsOptions>): Prepared<DnsOptions> {
  const ednsSizeBytes = values['edns-size'];
  if (values.dnssec && ednsSizeBytes === 0) {
    throw new UsageError('--dnssec needs EDNS: it cannot be used with --edns-size 0');
  }
  const requiredFlags = values['require-flag'] ?? [];
  return {
    targets: values.server.map((server) => server.address),
    options: {
      servers: values.server,
      queries: values.query,
      require: values.require,
      transport: values.transport,
      style: {
        dnssec: values.dnssec,
        wantsAuthenticData: requiredFlags.includes('ad'),
        ednsSizeBytes,
      },
      expected: {
        rcodes: values.rcode.map((name) => RCODES[name]),
        minAnswers: values['min-answers'],
        answerPattern: values.answer,
        requiredFlags,
        maxLatencyMs: values['max-latency'],
      },
    },
  };
}

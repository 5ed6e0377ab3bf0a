import { answerCount, headerFlags, rcodeList } from './dns-expectation.ts';
import { CLASS_CH, CLASS_IN, RCODES, RECORD_TYPES } from './dns-numbers.ts';
import type { DnsOptions } from './dns-probe.ts';
import { parseQuery, type DnsQuery } from './dns-query.ts';
import { UsageError } from '../../system/errors.ts';
import { withoutZone } from '../../system/ip-address.ts';
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
import { refuseTlsOptions, tlsOptions, tlsTermsOf } from '../tls-options.ts';
import {
  oneOf,
  positiveDuration,
  regularExpression,
  wholeNumber,
  zonedEndpoint,
} from '../../options/value-parsers.ts';

/** RFC 1035, RFC 7858, RFC 8484. */
const PORTS = { udp: 53, tcp: 53, both: 53, tls: 853, https: 443 } as const;
/** The largest UDP answer that is never fragmented (DNS flag day 2020). */
const EDNS_SIZE = 1232;
/** A server takes a smaller announcement for this one (RFC 6891 section 6.2.3). */
const MIN_EDNS_SIZE = 512;

const query = Object.assign(parseQuery, { metavar: "'NAME [TYPE] [EXPECTED]'" });

const ednsSize: ValueParser<number> = Object.assign(
  (text: string) => (text === '0' ? 0 : wholeNumber(MIN_EDNS_SIZE, 65_535)(text)),
  { metavar: 'BYTES' },
);

/** The options of dns-probe. */
export const dnsOptions = {
  server: list(zonedEndpoint(0), {
    default: ['127.0.0.1'],
    describe:
      'Server to ask: an IPv4 address, or an IPv6 address, in brackets before a port; a link-local one with its interface, fe80::1%eth0. Port 53 if none is given, 853 over tls, 443 over https. Repeatable.',
  }),
  query: list(query, {
    default: ['. SOA'],
    describe:
      'Name to ask for, the type of record (A when left out), and what its answer has to be where that differs: rcode=NAME,… answer=/REGEX/ min-answers=N flag=NAME,…. {nonce} in a name becomes a random text of 32 characters, to get past caches. Repeatable.',
  }),
  class: value(oneOf('IN', 'CH'), {
    default: 'IN',
    describe: 'Class to ask in; CH for what a server tells of itself, such as version.bind TXT.',
  }),
  require: value(oneOf('all', 'any'), {
    default: 'all',
    describe: 'Whether every server has to answer every query, or one answer is enough.',
  }),
  transport: value(oneOf('udp', 'tcp', 'both', 'tls', 'https'), {
    default: 'udp',
    describe:
      'What to ask over; with both, UDP and TCP each have to give a right answer. A UDP answer that is truncated is asked for again over TCP.',
  }),
  ...tlsOptions,
  rcode: value(rcodeList, {
    default: 'NOERROR',
    describe: 'Response codes that are right, separated by commas.',
  }),
  answer: optional(regularExpression, {
    describe:
      'At least one record of the answer section has to match, as "NAME TYPE DATA" with trailing dots and without the TTL: "ok.example. A 192.0.2.99".',
  }),
  'min-answers': optional(answerCount, {
    describe: 'Records of the asked type that the answer has to hold at least.',
    defaultNote: '1 if the answer is NOERROR, else 0',
  }),
  'require-flag': optional(headerFlags, {
    describe:
      'Header flags that have to be set, separated by commas: recursion available, authentic data (validated by DNSSEC), authoritative answer.',
  }),
  dnssec: flag({
    describe:
      'Ask for signatures (sets DO and AD). To demand that the answer was validated, add --require-flag ad.',
  }),
  cd: flag({
    describe: 'Ask the server not to check signatures (sets CD).',
  }),
  'refuse-stale': flag({
    describe:
      'An answer from a cache whose time is over, which the server says by extended error 3 or 19, is a failure.',
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
 * @throws ConfigurationError and PermissionError for the file with certificates
 */
export function prepareDns(values: Values<typeof dnsOptions>): Prepared<DnsOptions> {
  const ednsSizeBytes = values['edns-size'];
  if (values.dnssec && ednsSizeBytes === 0) {
    throw new UsageError('--dnssec needs EDNS: it cannot be used with --edns-size 0');
  }
  if (values['refuse-stale'] && ednsSizeBytes === 0) {
    throw new UsageError('--refuse-stale needs EDNS: it cannot be used with --edns-size 0');
  }
  if (values.class === 'CH' && values.query.some(isRootSoa)) {
    throw new UsageError("--class CH needs a query of that class: --query 'version.bind TXT'");
  }
  const isTls = values.transport === 'tls' || values.transport === 'https';
  if (!isTls) refuseTlsOptions(values, '--transport tls and https');
  const terms = isTls ? tlsTermsOf(values, undefined) : undefined;
  return {
    targets: values.server.map((server) => withoutZone(server.address)),
    options: {
      servers: values.server.map(({ address, port }) => ({
        address,
        port: port === 0 ? PORTS[values.transport] : port,
        tls: terms && { ...terms, name: terms.name ?? withoutZone(address).text },
      })),
      queries: values.query,
      require: values.require,
      transport: values.transport,
      style: {
        class: values.class === 'CH' ? CLASS_CH : CLASS_IN,
        dnssec: values.dnssec,
        checkingDisabled: values.cd,
        ednsSizeBytes,
      },
      expected: {
        rcodes: values.rcode.map((name) => RCODES[name]),
        minAnswers: values['min-answers'],
        answerPattern: values.answer,
        requiredFlags: values['require-flag'] ?? [],
        refuseStale: values['refuse-stale'],
        maxLatencyMs: values['max-latency'],
      },
    },
  };
}

/** What is asked for by default. */
function isRootSoa({ name, type }: DnsQuery): boolean {
  return name === '.' && type === RECORD_TYPES.get('SOA');
}

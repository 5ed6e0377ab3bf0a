import { describe, expect, test } from 'vitest';
import { dnsOptions, prepareDns } from '../../../../src/lib/probe/dns/dns-options.ts';
import type { Prepared } from '../../../../src/lib/probe/probe-program.ts';
import { expectationOf } from '../../../../src/lib/probe/dns/dns-expectation.ts';
import type { DnsExpectation } from '../../../../src/lib/probe/dns/dns-judge.ts';
import type { DnsOptions } from '../../../../src/lib/probe/dns/dns-probe.ts';
import { UsageError } from '../../../../src/lib/system/errors.ts';
import { optionValues } from '../../../support/option-values.ts';

type Name = keyof typeof dnsOptions;
type Given = Partial<Record<Name, readonly string[]>>;

function prepare(given: Given = {}): Prepared<DnsOptions> {
  return prepareDns(optionValues(dnsOptions, given));
}

test('without a flag: the root SOA record from 127.0.0.1 over UDP', () => {
  expect(prepare()).toEqual({
    targets: [{ family: 4, text: '127.0.0.1' }],
    options: {
      servers: [{ address: { family: 4, text: '127.0.0.1' }, port: 53, tls: undefined }],
      queries: [{ name: '.', type: 6, expected: {} }],
      require: 'all',
      transport: 'udp',
      style: { class: 1, dnssec: false, checkingDisabled: false, ednsSizeBytes: 1232 },
      expected: {
        rcodes: [0],
        minAnswers: undefined,
        answerPattern: undefined,
        requiredFlags: [],
        refuseStale: false,
        maxLatencyMs: undefined,
      },
    },
  });
});

test('every flag finds its place', () => {
  const { targets, options } = prepare({
    server: ['192.0.2.53:5353', '2001:DB8::1', '[::1]:54'],
    query: ['example.net', '{nonce}.example.net TXT'],
    require: ['any'],
    transport: ['both'],
    rcode: ['NXDOMAIN,badvers'],
    answer: ['^x\\. A'],
    'min-answers': ['2'],
    'require-flag': ['ra,AD'],
    class: ['CH'],
    dnssec: ['true'],
    cd: ['true'],
    'refuse-stale': ['true'],
    'edns-size': ['4096'],
    'max-latency': ['500ms'],
  });
  expect(targets.map((target) => target.text)).toEqual(['192.0.2.53', '2001:db8::1', '::1']);
  expect(options).toEqual({
    servers: [
      { address: { family: 4, text: '192.0.2.53' }, port: 5353, tls: undefined },
      { address: { family: 6, text: '2001:db8::1' }, port: 53, tls: undefined },
      { address: { family: 6, text: '::1' }, port: 54, tls: undefined },
    ],
    queries: [
      { name: 'example.net.', type: 1, expected: {} },
      { name: '{nonce}.example.net.', type: 16, expected: {} },
    ],
    require: 'any',
    transport: 'both',
    style: { class: 3, dnssec: true, checkingDisabled: true, ednsSizeBytes: 4096 },
    expected: {
      rcodes: [3, 16],
      minAnswers: 2,
      answerPattern: /^x\. A/u,
      requiredFlags: ['ra', 'ad'],
      refuseStale: true,
      maxLatencyMs: 500,
    },
  });
});

describe('a mistake is refused with what would be right', () => {
  const cases: readonly (readonly [name: Name, text: string, message: string])[] = [
    ['server', 'localhost', 'no IP address'],
    ['server', '127.0.0.1:0', 'whole number from 1 to 65535'],
    ['query', '. NOPE', "'NOPE' is no record type"],
    ['query', 'a..b', 'empty label'],
    ['class', 'CHAOS', 'IN, CH'],
    [
      'query',
      'x A rcod=NXDOMAIN',
      "'rcod' is none of rcode=, answer=, min-answers=, flag= (did you mean rcode=?)",
    ],
    ['query', 'x A rcode=NXDOMIAN', '(did you mean NXDOMAIN?)'],
    ['query', 'x A rcode=', "rcode=: '' is not one of NOERROR"],
    ['query', 'x A answer=192', "answer=: '192' is no /REGEX/"],
    ['query', 'x A answer=/A 1', "answer=: '/A 1' is no /REGEX/"],
    ['query', 'x A answer=/(/', "answer=: '(' is no regular expression"],
    ['query', 'x A answer=/a/ answer=/b/', 'answer= is there twice'],
    ['query', 'x A min-answers=many', "min-answers=: 'many' is no whole number"],
    ['query', 'x A flag=tc', "flag=: 'tc' is not one of ra, ad, aa"],
    ['query', 'x A flag=ad NXDOMAIN', "'NXDOMAIN' is none of rcode="],
    ['query', 'rcode=NXDOMAIN', 'must be a name'],
    ['server', 'fe80::1', 'name its interface, as in fe80::1%eth0'],
    ['server', '2001:db8::1%eth0', 'only a link-local address has a zone'],
    ['server', 'fe80::1%', "'' is no interface name"],
    ['server', '[fe80::1%-x]:53', "'-x' is no interface name"],
    ['require', 'some', 'all, any'],
    ['transport', 'dot', 'udp, tcp, both, tls, https'],
    ['transport', 'http', '(did you mean https?)'],
    ['rcode', 'OKAY', 'NOERROR'],
    ['rcode', '', 'NOERROR'],
    ['answer', '(', 'no regular expression'],
    ['min-answers', '-1', 'whole number'],
    ['require-flag', 'rd', 'ra, ad, aa'],
    ['edns-size', '511', 'from 512 to 65535'],
    ['edns-size', '65536', 'from 512 to 65535'],
    ['max-latency', '0', 'longer than 0'],
    ['max-latency', '5', 'no duration'],
  ];

  test.each(cases)('--%s %s', (name, text, message) => {
    expect(() => prepare({ [name]: [text] })).toThrow(RangeError);
    expect(() => prepare({ [name]: [text] })).toThrow(message);
  });

  test.each(['dnssec', 'refuse-stale'] as const)('--%s without EDNS', (name) => {
    const given: Given = { [name]: ['true'], 'edns-size': ['0'] };
    expect(() => prepare(given)).toThrow(UsageError);
    expect(() => prepare(given)).toThrow(`--${name} needs EDNS`);
  });

  test('--class CH without a query of that class', () => {
    expect(() => prepare({ class: ['CH'] })).toThrow(UsageError);
    expect(() => prepare({ class: ['CH'] })).toThrow("--query 'version.bind TXT'");
  });
});

describe('over TLS and HTTPS', () => {
  test.each([
    ['tls', 853],
    ['https', 443],
  ])('%s has a port of its own, and expects the certificate of whom it asks', (transport, port) => {
    const server = ['127.0.0.1', '[fe80::1%eth0]:5353'];
    const { servers } = prepare({ server, transport: [transport] }).options;
    expect(servers).toMatchObject([
      { port, tls: { name: '127.0.0.1', authorities: undefined, insecure: false } },
      { port: 5353, tls: { name: 'fe80::1' } },
    ]);
  });

  test('its options find their place, and are refused elsewhere', () => {
    const given: Given = { 'tls-name': ['dns.example.net'], 'tls-insecure': ['true'] };
    const [server] = prepare({ ...given, transport: ['tls'] }).options.servers;
    expect(server?.tls).toMatchObject({ name: 'dns.example.net', insecure: true });
    expect(() => prepare(given)).toThrow(UsageError);
    expect(() => prepare(given)).toThrow('--tls-name is for --transport tls and https only');
    const nowhere: Given = { transport: ['tls'], 'tls-ca': ['/nowhere'] };
    expect(() => prepare(nowhere)).toThrow('--tls-ca: /nowhere cannot be read (ENOENT)');
  });
});

test('EDNS can be left out', () => {
  expect(prepare({ 'edns-size': ['0'] }).options.style.ednsSizeBytes).toBe(0);
});

test('a link-local server is asked through its interface, and is a target without it', () => {
  const { targets, options } = prepare({ server: ['FE80::1%eth0', '[fe80::2%bond0.7]:54'] });
  expect(options.servers).toEqual([
    { address: { family: 6, text: 'fe80::1%eth0' }, port: 53, tls: undefined },
    { address: { family: 6, text: 'fe80::2%bond0.7' }, port: 54, tls: undefined },
  ]);
  expect(targets.map(({ text }) => text)).toEqual(['fe80::1', 'fe80::2']);
});

describe('what a query says of its answer', () => {
  const general = prepare({ answer: ['general'], 'min-answers': ['3'], 'require-flag': ['ra'] });

  function expectedOf(query: string): Partial<DnsExpectation> {
    const [asked] = prepare({ query: [query] }).options.queries;
    const { expected } = general.options;
    return expectationOf(asked?.expected ?? {}, expected);
  }
  const unchanged = general.options.expected;

  test.each<[query: string, changed: Partial<DnsExpectation>]>([
    ['x A', {}],
    [String.raw`x A answer=/192\.0\.2\./`, { answerPattern: /192\.0\.2\./u }],
    ['x answer=/^x\\. A 192/  min-answers=2', { answerPattern: /^x\. A 192/u, minAnswers: 2 }],
    ['x A answer=/a\\/ b/', { answerPattern: /a\/ b/u }],
    ['x A answer=/a/24/', { answerPattern: /a\/24/u }],
    ['x A rcode=NOERROR,nxdomain', { rcodes: [0, 3] }],
    ['x A flag=ad,aa', { requiredFlags: ['ad', 'aa'] }],
    ['x A flag=ad flag=aa', { requiredFlags: ['ad', 'aa'] }],
    ['x A min-answers=0', { minAnswers: 0 }],
    // What is asked of all records is not meant for an answer that has none.
    ['x A rcode=NXDOMAIN', { rcodes: [3], answerPattern: undefined, minAnswers: undefined }],
    [
      'x A rcode=NXDOMAIN rcode=REFUSED min-answers=1',
      { rcodes: [3, 5], answerPattern: undefined, minAnswers: 1 },
    ],
  ])('%s', (query, changed) => {
    expect(expectedOf(query)).toEqual({ ...unchanged, ...changed });
  });
});

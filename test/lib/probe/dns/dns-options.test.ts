import { describe, expect, test } from 'vitest';
import { dnsOptions, prepareDns } from '../../../../src/lib/probe/dns/dns-options.ts';
import type { Option, Values } from '../../../../src/lib/options/option.ts';
import type { Prepared } from '../../../../src/lib/probe/probe-program.ts';
import type { DnsOptions } from '../../../../src/lib/probe/dns/dns-probe.ts';
import { UsageError } from '../../../../src/lib/system/errors.ts';

type Name = keyof typeof dnsOptions;
type Given = Partial<Record<Name, readonly string[]>>;

function read<T>(option: Option<T>, texts: readonly string[] = option.defaultTexts): T {
  return option.collect(texts.map((text) => option.parse(text)));
}

function prepare(given: Given = {}): Prepared<DnsOptions> {
  const values: Values<typeof dnsOptions> = {
    server: read(dnsOptions.server, given.server),
    query: read(dnsOptions.query, given.query),
    require: read(dnsOptions.require, given.require),
    transport: read(dnsOptions.transport, given.transport),
    rcode: read(dnsOptions.rcode, given.rcode),
    answer: read(dnsOptions.answer, given.answer),
    'min-answers': read(dnsOptions['min-answers'], given['min-answers']),
    'require-flag': read(dnsOptions['require-flag'], given['require-flag']),
    dnssec: read(dnsOptions.dnssec, given.dnssec),
    'edns-size': read(dnsOptions['edns-size'], given['edns-size']),
    'max-latency': read(dnsOptions['max-latency'], given['max-latency']),
  };
  return prepareDns(values);
}

test('without a flag: the root SOA record from 127.0.0.1 over UDP', () => {
  expect(prepare()).toEqual({
    targets: [{ family: 4, text: '127.0.0.1' }],
    options: {
      servers: [{ address: { family: 4, text: '127.0.0.1' }, port: 53 }],
      queries: [{ name: '.', type: 6 }],
      require: 'all',
      transport: 'udp',
      style: { dnssec: false, wantsAuthenticData: false, ednsSizeBytes: 1232 },
      expected: {
        rcodes: [0],
        minAnswers: undefined,
        answerPattern: undefined,
        requiredFlags: [],
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
    dnssec: ['true'],
    'edns-size': ['4096'],
    'max-latency': ['500ms'],
  });
  expect(targets.map((target) => target.text)).toEqual(['192.0.2.53', '2001:db8::1', '::1']);
  expect(options).toEqual({
    servers: [
      { address: { family: 4, text: '192.0.2.53' }, port: 5353 },
      { address: { family: 6, text: '2001:db8::1' }, port: 53 },
      { address: { family: 6, text: '::1' }, port: 54 },
    ],
    queries: [
      { name: 'example.net.', type: 1 },
      { name: '{nonce}.example.net.', type: 16 },
    ],
    require: 'any',
    transport: 'both',
    style: { dnssec: true, wantsAuthenticData: true, ednsSizeBytes: 4096 },
    expected: {
      rcodes: [3, 16],
      minAnswers: 2,
      answerPattern: /^x\. A/u,
      requiredFlags: ['ra', 'ad'],
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
    ['require', 'some', 'all, any'],
    ['transport', 'tls', 'udp, tcp, both'],
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

  test('--dnssec without EDNS', () => {
    const given: Given = { dnssec: ['true'], 'edns-size': ['0'] };
    expect(() => prepare(given)).toThrow(UsageError);
    expect(() => prepare(given)).toThrow('--edns-size 0');
  });
});

test('EDNS can be left out', () => {
  expect(prepare({ 'edns-size': ['0'] }).options.style.ednsSizeBytes).toBe(0);
});

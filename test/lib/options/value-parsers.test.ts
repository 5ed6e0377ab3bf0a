import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as parsers from '../../../src/lib/options/value-parsers.ts';
import { formatEndpoint } from '../../../src/lib/system/ip-address.ts';

describe('what is taken', () => {
  test.each([
    ['text', parsers.text, 'a §', 'a §'],
    ['leaseTime', parsers.leaseTime, '5m', 300_000],
    ['leaseTime', parsers.leaseTime, '2000ms', 2000],
    ['leaseTime', parsers.leaseTime, 'off', undefined],
    ['positiveDuration', parsers.positiveDuration, '1ms', 1],
    ['wholeNumber', parsers.wholeNumber(1, 9), '09', 9],
    ['oneOf', parsers.oneOf('a', 'b'), 'b', 'b'],
    ['someOf', parsers.someOf('RA', 'ad'), 'ra, AD', ['RA', 'ad']],
    ['interfaceName', parsers.interfaceName, 'eth0.100@x:1', 'eth0.100@x:1'],
    [
      'instanceName',
      parsers.instanceName,
      'tcp-route-probe-2001:db8::1',
      'tcp-route-probe-2001:db8::1',
    ],
    ['serviceAddress', parsers.serviceAddress, '192.0.2.1/32', { family: 4, text: '192.0.2.1' }],
    [
      'serviceAddress',
      parsers.serviceAddress,
      '2001:DB8::1/128',
      { family: 6, text: '2001:db8::1' },
    ],
    ['serviceAddress', parsers.serviceAddress, '10.0.0.1', { family: 4, text: '10.0.0.1' }],
    ['serviceAddress', parsers.serviceAddress, 'fd00::1', { family: 6, text: 'fd00::1' }],
  ] as const)('%s', (_, parse, given, parsed) => {
    expect(parse(given)).toEqual(parsed);
  });
});

describe('what is refused', () => {
  test.each([
    ['text', parsers.text, ['', 'a\nb', 'a\0', '\x1b[1m']],
    ['leaseTime', parsers.leaseTime, ['0', '1s', '1999ms', '2500ms', 'OFF', '25d', '-5s']],
    ['positiveDuration', parsers.positiveDuration, ['0', '0s', '0.1ms']],
    ['wholeNumber', parsers.wholeNumber(1, 9), ['0', '10', '1.5', '-1', '', ' 1', '1e0', '0x1']],
    ['oneOf', parsers.oneOf('a', 'b'), ['c', 'A', '', 'toString']],
    ['someOf', parsers.someOf('a', 'b'), ['', 'a,', 'a,c']],
    ['regularExpression', parsers.regularExpression, ['(', '[', '\\', '\\p{Nope}']],
    ['interfaceName', parsers.interfaceName, ['', '.', '..', '-x', 'a/b', 'a b', 'x'.repeat(16)]],
    [
      'instanceName',
      parsers.instanceName,
      ['', '.x', '-x', 'a/b', 'a@b', 'a b', 'ä', 'x'.repeat(65)],
    ],
    ['file', parsers.file, ['', 'a\n']],
    [
      'serviceAddress',
      parsers.serviceAddress,
      [
        ...['0.0.0.0', '127.0.0.1', '169.254.1.1', '224.0.0.1', '255.255.255.255', '240.0.0.1'],
        ...['::', '::1', 'ff02::1', 'fe80::1', 'febf::1', '::ffff:192.0.2.1', '::192.0.2.1'],
        ...['192.0.2.0/24', '192.0.2.1/128', '2001:db8::1/32', '2001:db8::/64', 'localhost'],
      ],
    ],
  ] as const)('%s', (_, parse, refused) => {
    for (const given of refused) expect(() => parse(given), given).toThrow(RangeError);
  });
});

describe('an endpoint', () => {
  const parse = parsers.endpoint(53);

  test.each([
    ['192.0.2.1', '192.0.2.1:53'],
    ['192.0.2.1:5353', '192.0.2.1:5353'],
    ['2001:db8::1', '[2001:db8::1]:53'],
    ['[2001:db8::1]', '[2001:db8::1]:53'],
    ['[2001:DB8::1]:5353', '[2001:db8::1]:5353'],
    ['::1', '[::1]:53'],
  ])('%s is %s', (given, full) => {
    const { address, port } = parse(given);
    expect(formatEndpoint(address, port)).toBe(full);
  });

  test.each([
    '',
    ':53',
    '192.0.2.1:',
    '192.0.2.1:0',
    '192.0.2.1:65536',
    '[::1',
    '::1]:53',
    '[192.0.2.1:53',
  ])('%j is refused', (given) => {
    expect(() => parse(given)).toThrow(RangeError);
  });

  test('that was written is read as the same', () => {
    const address = fc.oneof(
      fc.ipV4(),
      fc.ipV6().filter((text) => !/^[0:]*(ffff)?:/i.test(text)),
    );
    fc.assert(
      fc.property(address, fc.integer({ min: 1, max: 65_535 }), (host, port) => {
        const once = parse(host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);
        expect(parse(formatEndpoint(once.address, once.port))).toEqual(once);
        expect(once.port).toBe(port);
      }),
    );
  });
});

test('a name is never more than part of a file name', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 70 }), (given) => {
      if (!parsers.isName(given)) return;
      expect(given).not.toMatch(/[/@\s\0]|^\./);
      expect(Buffer.byteLength(given)).toBeLessThanOrEqual(64);
    }),
    { numRuns: 1000 },
  );
});

import { networkInterfaces } from 'node:os';
import { isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatEndpoint,
  hostPrefix,
  isLoopback,
  parseAddress,
} from '../../../src/lib/system/ip-address.ts';

describe('reading', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['2001:DB8::1', '2001:db8::1'],
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
    ['::', '::'],
    ['::1', '::1'],
    ['0:0:0:0:0:0:0:1', '::1'],
  ])('%s is %s', (text, canonical) => {
    expect(parseAddress(text)).toEqual({
      family: canonical.includes(':') ? 6 : 4,
      text: canonical,
    });
  });

  test.each([
    '',
    'localhost',
    '192.0.2',
    '192.0.2.256',
    '192.0.2.01',
    '192.0.2.1.',
    '.192.0.2.1',
    '192.0.2.1/32',
    '192.0.2.1:53',
    '0xc0000201',
    '3221225985',
    '١٩٢.0.2.1',
    ' 192.0.2.1',
    '192.0.2.1\n',
    '2001:db8::1/128',
    '[2001:db8::1]',
    'fe80::1%eth0',
    '2001:db8::1::2',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    ':::',
    '::ffff:192.0.2.1',
    '::ffff:c000:201',
    '::192.0.2.1',
    '::1:2',
  ])('%j is refused', (text) => {
    expect(() => parseAddress(text)).toThrow(RangeError);
  });

  test('gives back every IPv4 address as it is', () => {
    fc.assert(
      fc.property(fc.ipV4(), (text) => {
        expect(parseAddress(text)).toEqual({ family: 4, text });
      }),
    );
  });

  test('is stable: the canonical form of a canonical form is itself', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        let once;
        try {
          once = parseAddress(text);
        } catch {
          // Embedded IPv4, which has no form of its own in the kernel.
          expect(text.toLowerCase()).toMatch(/^[0:]*(ffff)?:/);
          return;
        }
        expect(parseAddress(once.text)).toEqual(once);
        expect(isIPv6(once.text)).toBe(true);
      }),
    );
  });

  test('takes nothing that is no address', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdef:.%/')) }),
        (text) => {
          let address;
          try {
            address = parseAddress(text);
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
            return;
          }
          expect(address.family === 4 ? isIPv4(text) : isIPv6(text)).toBe(true);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('spells addresses as the kernel does', () => {
    const all = Object.values(networkInterfaces()).flatMap((infos) => infos ?? []);
    for (const { address } of all) expect(parseAddress(address).text).toBe(address);
  });
});

test('an address is written as a prefix and with a port', () => {
  expect(hostPrefix('192.0.2.1')).toBe('192.0.2.1/32');
  expect(hostPrefix('2001:db8::1')).toBe('2001:db8::1/128');
  expect(formatEndpoint(parseAddress('192.0.2.1'), 53)).toBe('192.0.2.1:53');
  expect(formatEndpoint(parseAddress('2001:db8::1'), 53)).toBe('[2001:db8::1]:53');
});

test('loopback addresses are known', () => {
  const known = ['127.0.0.1', '127.9.9.9', '::1'].map((text) => isLoopback(parseAddress(text)));
  expect(known).toEqual([true, true, true]);
  const others = ['128.0.0.1', '12.7.0.1', '::', '2001:db8::1'].map((text) =>
    isLoopback(parseAddress(text)),
  );
  expect(others).toEqual([false, false, false, false]);
});

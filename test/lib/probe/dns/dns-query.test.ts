import { decode } from 'dns-packet';
import { describe, expect, test } from 'vitest';
import { RECORD_TYPES } from '../../../../src/lib/probe/dns/dns-numbers.ts';
import {
  encodeName,
  formatName,
  instantiateName,
  labelsAt,
} from '../../../../src/lib/probe/dns/dns-name.ts';
import { encodeQuery, formatQuery, parseQuery } from '../../../../src/lib/probe/dns/dns-query.ts';
import { PLAIN_STYLE } from '../../../support/dns-asking.ts';

describe('a query reads', () => {
  test.each([
    ['.', '. A'],
    ['. SOA', '. SOA'],
    ['example.net', 'example.net. A'],
    ['example.net. aaaa', 'example.net. AAAA'],
    ['  example.net   MX ', 'example.net. MX'],
    ['_dmarc.Example.net TXT', '_dmarc.Example.net. TXT'],
    ['*.example.net', '*.example.net. A'],
    ['0/25.2.0.192.in-addr.arpa PTR', '0/25.2.0.192.in-addr.arpa. PTR'],
    ['{nonce}.example.net', '{nonce}.example.net. A'],
    ['probe-{nonce}.example.net HTTPS', 'probe-{nonce}.example.net. HTTPS'],
    ['. TYPE65', '. HTTPS'],
    ['. TYPE4711', '. TYPE4711'],
    [`${'a'.repeat(63)}.net`, `${'a'.repeat(63)}.net. A`],
    ['john\\.doe.example.net MX', 'john\\.doe.example.net. MX'],
    ['two\\032words.example', 'two\\032words.example. A'],
    ['end\\.', 'end\\.. A'],
    ['m\\195\\188nchen.example.', 'm\\195\\188nchen.example. A'],
    [`${'\\000'.repeat(63)}.net`, `${'\\000'.repeat(63)}.net. A`],
  ])("'%s' as '%s'", (text, formatted) => {
    expect(formatQuery(parseQuery(text), 1)).toBe(formatted);
  });

  const longest = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`;

  test('a name of 253 characters', () => {
    expect(longest).toHaveLength(253);
    expect(formatQuery(parseQuery(longest), 1)).toBe(`${longest}. A`);
  });

  test.each([
    ['', 'must be a name'],
    ['   ', 'must be a name'],
    ['..', 'an empty label'],
    ['a..b', 'an empty label'],
    ['.a', 'an empty label'],
    ['a..', 'an empty label'],
    ['a b c', 'more than a name and a type'],
    [`${'a'.repeat(64)}.net`, 'more than 63'],
    [`${'a'.repeat(32)}{nonce}.net`, 'more than 63'],
    [`${longest}e`, 'longer than 253'],
    ['münchen.example', 'xn--'],
    ['a\\', 'a backslash stands before'],
    ['a\\12', 'a backslash stands before'],
    ['a\\256.net', '\\256 is no byte'],
    [`${'\\000'.repeat(64)}.net`, 'more than 63'],
    ['. SOAA', 'did you mean SOA?'],
    ['{nonse}.example.net', 'other characters'],
    ['a\nb', 'other characters'],
    ['. NOPE', 'no record type'],
    ['. AXFR', 'no record type'],
    ['. OPT', 'no record type'],
    ['. TYPE41', 'no record type'],
    ['. TYPE252', 'no record type'],
    ['. TYPE0', 'no record type'],
    ['. TYPE65536', 'no record type'],
    ['. TYPE-1', 'no record type'],
  ])("'%s' not at all: %s", (text, message) => {
    expect(() => parseQuery(text)).toThrow(RangeError);
    expect(() => parseQuery(text)).toThrow(message);
  });
});

describe('a nonce', () => {
  test('is 32 hexadecimal digits, others each time and at each place', () => {
    const query = parseQuery('{nonce}.{nonce}.net');
    const names = [instantiateName(query.name), instantiateName(query.name)];
    const labels = names.flatMap((name) => name.split('.').slice(0, 2));
    for (const label of labels) expect(label).toMatch(/^[0-9a-f]{32}$/);
    expect(new Set(labels).size).toBe(4);
  });

  test('leaves a name without a placeholder as it is', () => {
    expect(instantiateName(parseQuery('a.example.net').name)).toBe('a.example.net.');
  });
});

describe('on the wire', () => {
  test('it is what RFC 1035 and RFC 6891 say, byte by byte', () => {
    const wire = encodeQuery(0xbeef, 'ab.c.', 6, { ...PLAIN_STYLE, dnssec: true });
    expect(wire.toString('hex')).toBe(
      [
        'beef 0120 0001 0000 0000 0001', // id, RD and AD, one question, one additional record
        '02 6162 01 63 00 0006 0001', // ab.c. SOA IN
        '00 0029 04d0 00 00 8000 0000', // . OPT, 1232 bytes, no upper bits, version 0, DO
      ]
        .join('')
        .replaceAll(' ', ''),
    );
  });

  test('without EDNS there is no OPT record', () => {
    const wire = encodeQuery(1, '.', 1, { ...PLAIN_STYLE, ednsSizeBytes: 0 });
    expect(wire.toString('hex')).toBe('000101000001000000000000' + '00' + '00010001');
  });

  test('AD is set alone where only that flag of the answer is wanted', () => {
    const wire = encodeQuery(1, '.', 1, { ...PLAIN_STYLE, wantsAuthenticData: true });
    expect(wire.readUInt16BE(2)).toBe(0x0120);
    expect(wire.subarray(-4).toString('hex')).toBe('00000000');
  });

  test('CD and the class are set as asked', () => {
    const style = { ...PLAIN_STYLE, checkingDisabled: true, class: 3 };
    const wire = encodeQuery(1, 'id.server.', 16, style);
    expect(wire.readUInt16BE(2)).toBe(0x0110);
    expect(wire.subarray(12, 27).toString('latin1')).toBe('\x02id\x06server\0\0\x10\0\x03');
    expect(formatQuery(parseQuery('id.server TXT'), 3)).toBe('id.server. CH TXT');
  });

  test.each([
    ['.', '00'],
    ['a.', '0161 00'],
    ['a\\.b.c.', '03612e62 0163 00'],
    ['\\000\\255\\046.', '0300ff2e 00'],
    ['\\\\\\".', '025c22 00'],
  ])('the name %s is these bytes, and reads the same again', (name, hex) => {
    const wire = encodeName(name);
    expect(wire.toString('hex')).toBe(hex.replaceAll(' ', ''));
    expect(encodeName(formatName(labelsAt(wire, 0)))).toEqual(wire);
  });

  test('every type has the number that the library knows it by, where it knows it', () => {
    for (const [name, type] of RECORD_TYPES) {
      const asked = decode(encodeQuery(1, 'x.', type, PLAIN_STYLE)).questions?.[0];
      expect([name, `UNKNOWN_${type}`]).toContain(asked?.type);
    }
  });
});

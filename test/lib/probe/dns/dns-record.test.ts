import { type Answer } from 'dns-packet';
import { describe, expect, test } from 'vitest';
import { formatRecords } from '../../../../src/lib/probe/dns/dns-record.ts';
import { encodeQuery } from '../../../../src/lib/probe/dns/dns-query.ts';
import { readReply } from '../../../../src/lib/probe/dns/dns-reply.ts';
import {
  answerTo,
  pointer,
  rawAnswerTo,
  rawRecord,
  ROOT_SOA,
} from '../../../support/dns-answers.ts';
import { PLAIN_STYLE } from '../../../support/dns-asking.ts';

const QUERY = encodeQuery(1, 'x.', 255, PLAIN_STYLE);

function show(message: Buffer): string[] {
  const reading = readReply(message, QUERY, 65_535);
  if (reading.kind !== 'reply') throw new Error(reading.fault);
  return [...formatRecords(reading.reply.answers)];
}

describe('a record is shown in presentation format:', () => {
  const hex = (text: string): Buffer => Buffer.from(text, 'hex');
  const cases: readonly (readonly [answer: Answer, text: string])[] = [
    [{ name: 'x', type: 'A', data: '192.0.2.99' }, 'x. A 192.0.2.99'],
    [{ name: 'x', type: 'AAAA', data: '2001:db8::1' }, 'x. AAAA 2001:db8::1'],
    [{ name: 'x', type: 'AAAA', data: '1:0:0:2:0:0:0:3' }, 'x. AAAA 1:0:0:2::3'],
    [{ name: 'x', type: 'AAAA', data: '::' }, 'x. AAAA ::'],
    [{ name: 'x', type: 'AAAA', data: '::ffff:c000:201' }, 'x. AAAA ::ffff:c000:201'],
    [{ name: 'x', type: 'CNAME', data: 'y.Example' }, 'x. CNAME y.Example.'],
    [{ name: '.', type: 'NS', data: 'a.root.test' }, '. NS a.root.test.'],
    [{ name: 'x', type: 'PTR', data: '.' }, 'x. PTR .'],
    [{ name: 'x', type: 'DNAME', data: 'y' }, 'x. DNAME y.'],
    [ROOT_SOA, '. SOA a.root.test. hostmaster.root.test. 2024010101 1800 900 604800 5'],
    [{ name: 'x', type: 'MX', data: { preference: 10, exchange: 'mail.x' } }, 'x. MX 10 mail.x.'],
    [
      { name: 'x', type: 'TXT', data: ['v=spf1 -all', 'say "hi"\\', '\u0007ä'] },
      'x. TXT "v=spf1 -all" "say \\"hi\\"\\\\" "\\007\\195\\164"',
    ],
    [
      { name: '_s._tcp.x', type: 'SRV', data: { priority: 1, weight: 2, port: 3, target: 'y' } },
      '_s._tcp.x. SRV 1 2 3 y.',
    ],
    [
      { name: 'x', type: 'CAA', data: { flags: 128, tag: 'issue', value: 'ca.test' } },
      'x. CAA 128 issue "ca.test"',
    ],
    [{ name: 'x', type: 'HINFO', data: { cpu: 'RFC8482', os: '' } }, 'x. HINFO "RFC8482" ""'],
    [
      {
        name: 'x',
        type: 'NAPTR',
        data: {
          order: 1,
          preference: 2,
          flags: 'S',
          services: 'SIP+D2U',
          regexp: '',
          replacement: 'y',
        },
      },
      'x. NAPTR 1 2 "S" "SIP+D2U" "" y.',
    ],
    [
      {
        name: 'x',
        type: 'DS',
        data: { keyTag: 20326, algorithm: 8, digestType: 2, digest: hex('e06d') },
      },
      'x. DS 20326 8 2 E06D',
    ],
    [
      { name: 'x', type: 'DNSKEY', data: { flags: 257, algorithm: 8, key: Buffer.from('key') } },
      'x. DNSKEY 257 3 8 a2V5',
    ],
    [
      {
        name: 'x',
        type: 'RRSIG',
        data: {
          typeCovered: 'SOA',
          algorithm: 13,
          labels: 1,
          originalTTL: 3600,
          expiration: 1700000000,
          inception: 1600000000,
          keyTag: 4711,
          signersName: 'x',
          signature: Buffer.from('signature'),
        },
      },
      'x. RRSIG SOA 13 1 3600 1700000000 1600000000 4711 x. c2lnbmF0dXJl',
    ],
    [
      {
        name: 'x',
        type: 'TLSA',
        data: { usage: 3, selector: 1, matchingType: 1, certificate: hex('abcd') },
      },
      'x. TLSA 3 1 1 ABCD',
    ],
    // RFC 5952, also where the first 96 bits are zeros.
    [{ name: 'x', type: 'AAAA', data: '::c000:201' }, 'x. AAAA ::c000:201'],
    [{ name: 'x', type: 'AAAA', data: '::1:2' }, 'x. AAAA ::1:2'],
    // Types that the library does not decode, or not soundly.
    [
      { name: 'x', type: 'SSHFP', data: { algorithm: 4, hash: 1, fingerprint: 'ab'.repeat(20) } },
      `x. SSHFP \\# 22 0401${'AB'.repeat(20)}`,
    ],
    [{ name: 'x', type: 'NULL', data: Buffer.alloc(0) }, 'x. NULL \\# 0'],
  ];

  test.each(cases.map(([answer, text]) => ({ answer, text })))('$text', ({ answer, text }) => {
    expect(show(answerTo(QUERY, { answers: [answer] }))).toEqual([text]);
  });

  test('an unknown type and what follows it, with compressed names', () => {
    const message = rawAnswerTo(
      QUERY,
      2,
      rawRecord(pointer(12), 4711, Buffer.from([1, 255])),
      rawRecord(pointer(12), 5, Buffer.concat([Buffer.from([1, 121]), pointer(12)])),
    );
    expect(show(message)).toEqual(['x. TYPE4711 \\# 2 01FF', 'x. CNAME y.x.']);
  });

  test('no control character of a name gets through', () => {
    const owner = Buffer.concat([
      Buffer.from([4]),
      Buffer.from('a\n\u001b\u007f'),
      Buffer.from([0]),
    ]);
    const data = Buffer.from([192, 0, 2, 1]);
    expect(show(rawAnswerTo(QUERY, 1, rawRecord(owner, 1, data)))).toEqual([
      'a\\010\\027\\127. A 192.0.2.1',
    ]);
  });
});

import { describe, expect, test } from 'vitest';
import { encodeQuery } from '../../../../src/lib/probe/dns/dns-query.ts';
import { readReply } from '../../../../src/lib/probe/dns/dns-reply.ts';
import {
  answerTo,
  opt,
  PLAIN_FLAGS,
  pointer,
  rawAnswerTo,
  rawRecord,
} from '../../../support/dns-answers.ts';
import { askFake, IS_UP, isDown, PLAIN_STYLE, SHORT } from '../../../support/dns-asking.ts';

describe('nothing that nobody asks to match makes an answer wrong', () => {
  const soa = rawRecord(Buffer.from([0]), 6, Buffer.alloc(22));
  const beside: readonly (readonly [what: string, type: number, data: Buffer])[] = [
    ['an address of IPv4 in IPv6', 28, Buffer.from('0000000000000000000000000c0000201', 'hex')],
    ['an IPv6 address with few bits', 28, Buffer.from(`${'0'.repeat(26)}010002`, 'hex')],
    ['HINFO of one string', 13, Buffer.from([1, 65])],
    ['DNSKEY of another protocol', 48, Buffer.from([1, 0, 9, 8, 1, 2, 3])],
    ['a loop within the data', 5, pointer(28)],
    ['an address that is too long', 1, Buffer.alloc(5)],
    ['a NAPTR cut short', 35, Buffer.from([0, 1])],
    ['a type that nobody knows', 65_280, Buffer.from([1])],
  ];

  test.each(beside)('%s', async (_what, type, data) => {
    const odd = rawRecord(Buffer.from([0]), type, data);
    const { verdict } = await askFake({
      onUdp: ({ message, send }) => {
        send(rawAnswerTo(message, 2, odd, soa));
      },
    });
    expect(verdict).toMatchObject({ status: 'up' });
  });

  test('but an address that was asked for has the length of one', () => {
    const query = encodeQuery(7, 'x.', 1, PLAIN_STYLE);
    for (const [bytes, kind] of [
      [3, 'unacceptable'],
      [4, 'reply'],
      [5, 'unacceptable'],
    ] as const) {
      const message = rawAnswerTo(query, 1, rawRecord(pointer(12), 1, Buffer.alloc(bytes)));
      expect(readReply(message, query, 1232).kind).toBe(kind);
    }
  });
});

describe('what is no answer to the question is ignored', () => {
  const cases: readonly (readonly [
    what: string,
    reason: 'timeout' | 'malformed',
    fault: string,
    make: (query: Buffer) => Buffer,
  ])[] = [
    ['a wrong id', 'timeout', 'a wrong id', (q) => answerTo(q, { id: q.readUInt16BE(0) ^ 1 })],
    ['nothing', 'malformed', '0 bytes, too few for DNS', () => Buffer.alloc(0)],
    ['a few bytes', 'malformed', '11 bytes, too few for DNS', (q) => q.subarray(0, 11)],
    [
      'another name',
      'malformed',
      'a wrong question',
      (q) => answerTo(q, { questions: [{ name: 'example.net', type: 'SOA' }] }),
    ],
    [
      'another type',
      'malformed',
      'a wrong question',
      (q) => answerTo(q, { questions: [{ name: '.', type: 'NS' }] }),
    ],
    [
      'another class',
      'malformed',
      'a wrong question',
      (q) => answerTo(q, { questions: [{ name: '.', type: 'SOA', class: 'CH' }] }),
    ],
    [
      'two questions',
      'malformed',
      'a wrong question',
      (q) => {
        const question = { name: '.', type: 'SOA' } as const;
        return answerTo(q, { questions: [question, question] });
      },
    ],
    ['its own query', 'malformed', 'a query in place of an answer (QR clear)', (q) => q],
    [
      'another operation',
      'malformed',
      'an answer to another operation (opcode)',
      (q) => answerTo(q, { flags: PLAIN_FLAGS | (4 << 11) }),
    ],
    [
      'a header that promises more',
      'malformed',
      'a malformed answer (cut short)',
      (q) => rawAnswerTo(q, 3),
    ],
    [
      'a record that promises more',
      'malformed',
      'a malformed answer (a record runs over the end)',
      (q) => answerTo(q).subarray(0, -1),
    ],
    [
      'garbage behind the right id and question',
      'malformed',
      'a malformed answer (a name with an unknown kind of label)',
      (q) => rawAnswerTo(q, 1, Buffer.alloc(40, 0x95)),
    ],
    [
      'an owner that points to itself',
      'malformed',
      'a malformed answer (a name whose pointers lead nowhere)',
      (q) => rawAnswerTo(q, 1, rawRecord(pointer(17), 6, Buffer.alloc(22))),
    ],
    [
      'an owner that points ahead',
      'malformed',
      'a malformed answer (a name whose pointers lead nowhere)',
      (q) => rawAnswerTo(q, 1, rawRecord(pointer(40), 6, Buffer.alloc(22))),
    ],
    [
      'names that point to each other',
      'malformed',
      'a malformed answer (a name whose pointers lead nowhere)',
      (q) =>
        rawAnswerTo(
          q,
          2,
          rawRecord(Buffer.from([0]), 2, pointer(28 + 11)), // its data is at 28
          rawRecord(pointer(28), 2, pointer(28)), // this begins at 30, its data is at 42
        ),
    ],
    [
      'a long chain of pointers',
      'malformed',
      'a malformed answer (a name whose pointers lead nowhere)',
      (q) => {
        const links = Array.from({ length: 80 }, (_, at) => pointer(at === 0 ? 12 : 26 + 2 * at));
        const chain = rawRecord(Buffer.from([0]), 10, Buffer.concat(links));
        return rawAnswerTo(q, 2, chain, rawRecord(pointer(26 + 2 * 79), 6, Buffer.alloc(22)));
      },
    ],
    [
      'two OPT records',
      'malformed',
      'a malformed answer (more than one OPT record)',
      (q) => answerTo(q, { additionals: [opt(), opt()] }),
    ],
    [
      'more than EDNS allowed',
      'malformed',
      '1257 bytes where 1232 were allowed',
      (q) => Buffer.concat([answerTo(q), Buffer.alloc(1257 - answerTo(q).length)]),
    ],
  ];

  test.each(cases)('%s alone: %s, naming the fault', async (_what, reason, fault, make) => {
    const { verdict, steps } = await askFake(
      {
        onUdp: ({ message, send }) => {
          send(make(message));
        },
      },
      SHORT,
    );
    expect(verdict).toMatchObject({ status: 'down', reason });
    expect(verdict.detail).toMatch(/^PEER \. SOA: no answer within \d{3}ms, ignored /);
    expect(verdict.detail.endsWith(`ignored ${fault}`)).toBe(true);
    expect(steps).toHaveLength(1);
  });

  test.each(cases)('%s, and then the right answer: up', async (_what, _reason, _fault, make) => {
    const { verdict } = await askFake({
      onUdp: ({ message, send }) => {
        send(make(message));
        setTimeout(() => {
          send(answerTo(message));
        }, 20);
      },
    });
    expect(verdict).toEqual(IS_UP);
  });

  test('an answer from another port does not even arrive, and the right one that follows wins', async () => {
    const alone = await askFake(
      {
        onUdp: ({ message, sendAsStranger }) => {
          sendAsStranger(answerTo(message));
        },
      },
      SHORT,
    );
    expect(alone.verdict).toEqual(isDown('timeout', /^PEER \. SOA: no answer within \d{3}ms$/));
    const followed = await askFake({
      onUdp: ({ message, send, sendAsStranger }) => {
        sendAsStranger(answerTo(message, { rcode: 2 }));
        setTimeout(() => {
          send(answerTo(message));
        }, 50);
      },
    });
    expect(followed.verdict).toEqual(IS_UP);
  });

  test('a flood of them is counted, and does not flood the log', async () => {
    const { verdict, steps } = await askFake(
      {
        onUdp: ({ message, send }) => {
          for (let time = 0; time < 50; time += 1) send(answerTo(message, { id: 0xffff - time }));
        },
      },
      SHORT,
    );
    expect(verdict.detail).toMatch(/ignored a wrong id and 4\d more$/);
    expect(steps).toHaveLength(3);
  });
});

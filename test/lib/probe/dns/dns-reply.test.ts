import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeQuery } from '../../../../src/lib/probe/dns/dns-query.ts';
import { formatRecords } from '../../../../src/lib/probe/dns/dns-record.ts';
import { readReply } from '../../../../src/lib/probe/dns/dns-reply.ts';
import { answerTo, FLAG, opt, pointer, rawAnswerTo } from '../../../support/dns-answers.ts';
import { rawRecord, ROOT_SOA } from '../../../support/dns-answers.ts';
import { PLAIN_STYLE } from '../../../support/dns-asking.ts';

const QUERY = encodeQuery(0x1234, 'www.example.net.', 2, PLAIN_STYLE);
const NAME = 12;
const NAME_0 = Buffer.from([0]);

describe('an answer', () => {
  test('is read with its flags, response code and records', () => {
    const message = answerTo(QUERY, {
      rcode: 3,
      flags: FLAG.aa | FLAG.ad,
      answers: [ROOT_SOA],
      authorities: [ROOT_SOA],
      additionals: [opt(0)],
    });
    expect(readReply(message, QUERY, 1232)).toMatchObject({
      kind: 'reply',
      reply: {
        truncated: false,
        rcode: 3,
        flags: { aa: true, ad: true, ra: false },
        answers: [{ type: 6, class: 1 }],
      },
    });
  });

  test('has the response code that header and OPT make together', () => {
    const message = answerTo(QUERY, { rcode: 7, answers: [], additionals: [opt(1)] });
    expect(readReply(message, QUERY, 1232)).toMatchObject({ reply: { rcode: 23 } });
  });

  /** An OPT record with options as they are given, byte by byte. */
  function withOptions(...options: number[]): Buffer {
    const message = answerTo(QUERY, { additionals: [opt()] });
    const head = Buffer.from(message.subarray(0, -2));
    return Buffer.concat([head, Buffer.from([0, options.length, ...options])]);
  }
  const NSID = [0, 3, 0, 2, 0x6e, 0x31];
  const STALE = [0, 15, 0, 2, 0, 3];
  const TOLD = [0, 15, 0, 7, 0, 22, 0x61, 0xc3, 0xa9, 0x21, 0];

  test.each([
    ['none', [], []],
    ['another option', NSID, []],
    ['a code alone', STALE, [{ code: 3, text: '' }]],
    [
      'two, one with text that ends with a NUL',
      [...STALE, ...NSID, ...TOLD],
      [
        { code: 3, text: '' },
        { code: 22, text: 'aé!' },
      ],
    ],
    ['one too short for its code', [0, 15, 0, 1, 9], []],
    ['one that runs over the end', [...STALE, 0, 15, 0, 9, 0, 3], [{ code: 3, text: '' }]],
    ['half an option', [...STALE, 0, 15, 0], [{ code: 3, text: '' }]],
  ])('says of itself by extended errors: %s', (_, options, extendedErrors) => {
    expect(readReply(withOptions(...options), QUERY, 1232)).toMatchObject({
      kind: 'reply',
      reply: { extendedErrors, rcode: 0 },
    });
  });

  test('may hold whatever it likes beside its answers, as long as it is complete', () => {
    const odd = rawRecord(pointer(0x3fff), 48, Buffer.from([1, 2, 99]));
    const message = Buffer.concat([answerTo(QUERY), odd]);
    message.writeUInt16BE(1, 8);
    expect(readReply(message, QUERY, 1232)).toMatchObject({ kind: 'reply' });
    expect(readReply(message.subarray(0, -1), QUERY, 1232)).toMatchObject({
      fault: 'a malformed answer (a record runs over the end)',
    });
  });
});

/** A good answer that uses names in every way, for faults to be put in. */
function richAnswer(): Buffer {
  const name = pointer(NAME);
  const head = (type: number, data: Buffer): Buffer => rawRecord(name, type, data);
  return rawAnswerTo(
    QUERY,
    4,
    head(2, Buffer.concat([Buffer.from([2, 110, 115]), name])),
    head(6, Buffer.concat([name, name, Buffer.alloc(20)])),
    head(46, Buffer.concat([Buffer.alloc(18), name, Buffer.alloc(30)])),
    head(16, Buffer.from([3, 97, 98, 99, 0])),
  );
}

const TYPES = [1, 2, 5, 6, 12, 13, 15, 16, 28, 33, 35, 39, 41, 43, 44, 46, 47, 48, 50, 52, 99, 255];

describe('whatever comes, reading it', () => {
  test('never throws on bytes at random', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        expect(readReply(Buffer.from(bytes), QUERY, 512).kind).toBeTypeOf('string');
      }),
    );
  });

  test('never throws on an answer with faults, and what it reads is printable', () => {
    const whole = richAnswer();
    expect(readReply(whole, QUERY, 1232).kind).toBe('reply');
    const fault = fc.record({
      at: fc.integer({ min: 6, max: whole.length - 1 }),
      byte: fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 0xc0, 63, ...TYPES)),
    });
    const faults = fc.array(fault, { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(faults, fc.integer({ min: 0, max: whole.length }), (changes, cut) => {
        const message = Buffer.from(whole);
        for (const { at, byte } of changes) message[at] = byte;
        const reading = readReply(cut % 3 === 0 ? message.subarray(0, cut) : message, QUERY, 1232);
        if (reading.kind === 'reply') {
          for (const text of formatRecords(reading.reply.answers)) {
            expect(text).toMatch(/^[ -~]*$/);
          }
        } else {
          expect(reading.fault).toMatch(/^[ -~]+$/);
          expect(reading.fault.length).toBeLessThan(100);
        }
      }),
      { numRuns: 3000 },
    );
  });

  test('is not kept busy by the costliest of 64 KiB', () => {
    const longName = Buffer.from([...Array.from({ length: 126 }, () => [1, 97]).flat(), 0]);
    const first = rawRecord(longName, 16, Buffer.from([0]));
    const at = rawAnswerTo(QUERY, 0).length;
    const others = Array.from({ length: 4600 }, () => rawRecord(pointer(at), 2, pointer(at)));
    const costly = rawAnswerTo(QUERY, 4601, first, ...others);
    const links = Array.from({ length: 6000 }, (_, link) =>
      pointer(link === 0 ? NAME : at + 11 + 2 * (link - 1)),
    );
    const chain = rawRecord(Buffer.from([0]), 10, Buffer.concat(links));
    const end = pointer(at + 11 + 2 * 5999);
    const ends = Array.from({ length: 3000 }, () => rawRecord(end, 2, end));
    const chained = rawAnswerTo(QUERY, 3001, chain, ...ends);

    const before = performance.now();
    expect(readReply(costly, QUERY, 65_535)).toMatchObject({ kind: 'reply' });
    const reading = readReply(costly, QUERY, 65_535);
    if (reading.kind !== 'reply') throw new Error(reading.fault);
    expect(formatRecords(reading.reply.answers)).toHaveLength(4601);
    expect(readReply(chained, QUERY, 65_535)).toMatchObject({ kind: 'unacceptable' });
    // The same chain in data that nobody asked to match is no fault, and not followed.
    const inData = rawAnswerTo(QUERY, 3001, chain, ...ends.map(() => rawRecord(NAME_0, 2, end)));
    const read = readReply(inData, QUERY, 65_535);
    if (read.kind !== 'reply') throw new Error(read.fault);
    expect(formatRecords(read.reply.answers)).toHaveLength(3001);
    // A bound that only a decoder gone wild breaks: the sum is a fraction of a second.
    expect(performance.now() - before).toBeLessThan(10_000);
  });
});

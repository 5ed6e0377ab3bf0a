import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DnsFrameReader } from '../../../../src/lib/probe/dns/dns-frame-reader.ts';
import { framed } from '../../../support/dns-answers.ts';

test('messages come out as they went in, wherever the stream is cut', () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 });
  const cuts = fc.array(fc.integer({ min: 0, max: 1500 }), { maxLength: 20 });
  fc.assert(
    fc.property(messages, cuts, (sent, at) => {
      const stream = Buffer.concat(sent.map(framed));
      const edges = [0, ...at.filter((cut) => cut < stream.length), stream.length];
      edges.sort((a, b) => a - b);
      const reader = new DnsFrameReader();
      const received = edges.flatMap((edge, index) =>
        reader.push(stream.subarray(edges[index - 1] ?? 0, edge)),
      );
      expect(received.map((message) => message.toString('hex'))).toEqual(
        sent.map((message) => Buffer.from(message).toString('hex')),
      );
    }),
  );
});

test('an incomplete message is not handed out', () => {
  const reader = new DnsFrameReader();
  expect(reader.push(Buffer.from([0xff]))).toEqual([]);
  expect(reader.push(Buffer.concat([Buffer.from([0xff]), Buffer.alloc(65_534)]))).toEqual([]);
  expect(reader.push(Buffer.alloc(1))).toEqual([Buffer.alloc(65_535)]);
});

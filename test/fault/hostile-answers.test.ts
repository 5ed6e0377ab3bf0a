import { once } from 'node:events';
import { connect } from 'node:net';
import { encode } from 'dns-packet';
import radius from 'radius';
import { describe, expect, test } from 'vitest';
import { DnsFrameReader } from '../../src/lib/probe/dns/dns-frame-reader.ts';
import { judgeReply } from '../../src/lib/probe/dns/dns-judge.ts';
import { encodeQuery } from '../../src/lib/probe/dns/dns-query.ts';
import { formatRecords } from '../../src/lib/probe/dns/dns-record.ts';
import { readReply } from '../../src/lib/probe/dns/dns-reply.ts';
import { judge } from '../../src/lib/probe/exec/exec-probe.ts';
import { exchangeHttp } from '../../src/lib/probe/http-exchange.ts';
import { exchangeHttp2 } from '../../src/lib/probe/http2-exchange.ts';
import { openTls } from '../../src/lib/probe/tls-connection.ts';
import { authenticAnswer, judgeAnswer } from '../../src/lib/probe/radius/radius-answer.ts';
import { radiusRequest } from '../../src/lib/probe/radius/radius-request.ts';
import { StreamSearch } from '../../src/lib/probe/syslog/syslog-listener.ts';
import { Figures, full, seededRandom } from '../support/fault-figures.ts';
import { FakeTlsServer } from '../support/fake-tls-server.ts';
import { answer as httpFrames } from '../support/http2-frames.ts';
import { FakeHttpProxy } from '../support/fake-http-proxy.ts';
import { opt } from '../support/dns-answers.ts';
import { below, httpAnswer, mutateBytes, pieces, type Random } from '../support/fault-inputs.ts';

const INPUTS = full ? 250_000 : 10_000;
const TIMEOUT_MS = full ? 1_800_000 : 120_000;
/** Far more than any input may take; a quadratic decoder takes longer. */
const LIMIT_MS = 2000;

/** Header fields of which each byte asks for as much work as it can. */
const HTTP_WORST: readonly string[] = [
  `a: x${' '.repeat(65_000)}x`,
  'a:\r\n'.repeat(16_000),
  `a:b\r\n${' c\r\n'.repeat(16_000)}`,
  `transfer-encoding: ${'chunked '.repeat(8000)}`,
];

/** The first two records of a handshake: a server's hello, then what is to be a certificate. */
const SERVER_HELLO = Buffer.concat([
  Buffer.from([22, 3, 3, 0, 74, 2, 0, 0, 70, 3, 3, ...Buffer.alloc(32, 7), 32]),
  Buffer.alloc(32, 9),
  Buffer.from([0xc0, 0x2b, 0, 22, 3, 3, 0, 12, 11, 0, 0, 8, 0, 0, 5, 0, 0, 2, 0x30, 0]),
]);

function httpOf(number: number): Buffer {
  return Buffer.from(`HTTP/1.1 200 OK\r\n${HTTP_WORST[number] ?? ''}\r\n\r\n`);
}

/** Feeds a decoder with inputs. It may neither throw nor take long nor keep what it was given. */
function feed(part: string, inputs: number, decode: (random: Random) => string): Figures {
  const figures = new Figures(`hostile answers: ${part}`);
  const random = seededRandom(20_261_122);
  for (let count = 0; count < inputs; count++) {
    const startedMs = performance.now();
    try {
      figures.count(decode(random));
    } catch (error) {
      figures.violate(`input ${count}: ${String(error)}`);
    }
    if (performance.now() - startedMs > LIMIT_MS) figures.violate(`input ${count} takes too long`);
    figures.injected += 1;
  }
  return figures.publish();
}

const query = encodeQuery(0x1234, 'www.example.net.', 1, {
  class: 1,
  dnssec: true,
  wantsAuthenticData: true,
  checkingDisabled: false,
  ednsSizeBytes: 1232,
});

/** A sound answer with a record of every type that there is a decoder for. */
const plainReply = encode({
  type: 'response',
  id: 0x1234,
  flags: 0x8180,
  questions: [{ name: 'www.example.net', type: 'A' }],
  answers: [
    { name: 'www.example.net', type: 'CNAME', data: 'a.example.net' },
    { name: 'a.example.net', type: 'A', data: '192.0.2.1' },
    { name: 'a.example.net', type: 'AAAA', data: '2001:db8::1' },
    { name: 'example.net', type: 'MX', data: { preference: 1, exchange: 'mail.example.net' } },
    { name: 'example.net', type: 'TXT', data: ['one', 'two'] },
    { name: 'example.net', type: 'NS', data: 'ns.example.net' },
    { name: 'example.net', type: 'CAA', data: { flags: 0, tag: 'issue', value: 'ca.example' } },
    {
      name: '_dns._udp.example.net',
      type: 'SRV',
      data: { priority: 1, weight: 1, port: 53, target: 'ns.example.net' },
    },
    {
      name: 'example.net',
      type: 'SOA',
      data: { mname: 'a', rname: 'b', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 1 },
    },
    {
      name: 'example.net',
      type: 'NSEC',
      data: { nextDomain: 'a.example.net', rrtypes: ['A', 'DNSKEY', 'CAA'] },
    },
    {
      name: 'example.net',
      type: 'DS',
      data: { keyTag: 1, algorithm: 8, digestType: 2, digest: Buffer.alloc(32, 1) },
    },
    {
      name: 'example.net',
      type: 'RRSIG',
      data: {
        typeCovered: 'A',
        algorithm: 8,
        labels: 2,
        originalTTL: 1,
        expiration: 1,
        inception: 1,
        keyTag: 1,
        signersName: 'example.net',
        signature: Buffer.alloc(64, 2),
      },
    },
  ],
  additionals: [opt()],
});

/** EDNS comes last, with an extended error: text behind its code (RFC 8914 section 2). */
const reply = Buffer.concat([
  plainReply.subarray(0, -2),
  Buffer.from([0, 16, 0, 15, 0, 12, 0, 3, ...Buffer.from('since noon')]),
]);

function dnsVerdict(message: Buffer): string {
  const reading = readReply(message, query, 65_535);
  if (reading.kind !== 'reply') return 'ignored';
  const verdict = judgeReply(
    reading.reply,
    {
      rcodes: [0],
      minAnswers: undefined,
      answerPattern: /never/u,
      requiredFlags: ['ad'],
      refuseStale: true,
      maxLatencyMs: 1,
    },
    {
      label: 'x',
      askedType: 1,
      askedClass: 1,
      tookMs: 1,
      texts: formatRecords(reading.reply.answers),
      remark: '',
    },
  );
  return verdict.status;
}

const secret = Buffer.from('secret');
const request = radiusRequest({ mode: 'status' }, secret, 'probe');

/** An answer of the server: its header, with attributes behind it, and authentic. */
function radiusAnswer(attributes: Buffer): Buffer {
  const packet = Buffer.concat([Buffer.alloc(20), attributes]).subarray(0, 4096);
  packet[0] = 2;
  packet[1] = request.identifier;
  packet.writeUInt16BE(packet.length, 2);
  request.authenticator.copy(packet, 4);
  radius.calculate_packet_checksum(packet, secret).copy(packet, 4);
  return packet;
}

const ATTRIBUTES = Buffer.concat([
  Buffer.from([80, 18]),
  Buffer.alloc(16, 7),
  Buffer.from([18, 7]),
  Buffer.from('hello'),
  Buffer.from([26, 12, 0, 0, 0, 9, 1, 6, 0, 0, 0, 0]),
]);

describe('what a server may answer', { timeout: TIMEOUT_MS }, () => {
  test('in DNS', () => {
    const figures = feed('DNS', 2 * INPUTS, (random) => dnsVerdict(mutateBytes(reply, random)));
    expect(figures.violations).toEqual([]);
  });

  test('in DNS over TCP, in pieces', () => {
    const stream = Buffer.concat([Buffer.from([0, 0]), reply, Buffer.from([0, 0, 0, 1, 5])]);
    stream.writeUInt16BE(reply.length);
    const figures = feed('DNS over TCP', INPUTS, (random) => {
      const reader = new DnsFrameReader();
      let messages = 0;
      for (const piece of pieces(mutateBytes(stream, random), random)) {
        for (const message of reader.push(piece)) {
          dnsVerdict(message);
          messages += 1;
        }
      }
      return messages === 0 ? 'no message' : 'messages';
    });
    expect(figures.violations).toEqual([]);
  });

  test('in RADIUS, without and with the secret', () => {
    const figures = feed('RADIUS', INPUTS, (random) => {
      const forged = mutateBytes(radiusAnswer(ATTRIBUTES), random);
      const stranger = authenticAnswer(forged, request, secret);
      if (typeof stranger !== 'string' && !stranger.equals(radiusAnswer(ATTRIBUTES))) {
        throw new Error('believed a forgery');
      }
      const answer = radiusAnswer(mutateBytes(ATTRIBUTES, random));
      const authentic = authenticAnswer(answer, request, secret);
      if (typeof authentic === 'string') throw new Error(`refused its own: ${authentic}`);
      const expectation = { codes: [2], messageAuthenticator: random() < 0.5 };
      const { status } = judgeAnswer(authentic, request, secret, expectation, 'x');
      return `${status}; ${typeof stranger === 'string' ? 'forgery ignored' : 'only padded'}`;
    });
    expect(figures.violations).toEqual([]);
  });

  test('in HTTP, from a server that closes behind it', async () => {
    const figures = new Figures('hostile answers: HTTP');
    const random = seededRandom(20_261_122);
    let answer: Buffer = Buffer.alloc(0);
    const server = await FakeHttpProxy.start((connection) => connection.end(answer));
    const request = { method: 'GET', target: '/', headers: [['Host', 'x']] } as const;
    const bounds = { maxHeadBytes: 16 * 1024, maxBodyBytes: 64 * 1024 };
    for (let count = 0; count < INPUTS / 20; count++) {
      const sound = count < HTTP_WORST.length ? httpOf(count) : httpAnswer(random);
      answer = random() < 0.5 ? sound : mutateBytes(sound, random);
      const startedMs = performance.now();
      const signal = AbortSignal.timeout(LIMIT_MS);
      try {
        const outcome = await exchangeHttp(server.peer, request, bounds, signal);
        figures.count(outcome.kind);
        if (outcome.kind === 'complete' && outcome.response.body.length > bounds.maxBodyBytes) {
          figures.violate(`input ${count}: the body is longer than allowed`);
        }
      } catch (error) {
        figures.violate(`input ${count}: ${String(error)}`);
      }
      if (performance.now() - startedMs > 2 * LIMIT_MS)
        figures.violate(`input ${count} takes long`);
      figures.injected += 1;
    }
    await server.close();
    expect(figures.publish().violations).toEqual([]);
  });

  test('in HTTP/2, from a server that closes behind it', async () => {
    const figures = new Figures('hostile answers: HTTP/2');
    const random = seededRandom(20_261_122);
    let answer: Buffer = Buffer.alloc(0);
    const server = await FakeTlsServer.plain((connection) => connection.end(answer).resume());
    const request = { method: 'GET', target: '/', headers: [['Host', 'x']] } as const;
    const bounds = { maxHeadBytes: 16 * 1024, maxBodyBytes: 64 * 1024 };
    const sound = [
      httpFrames('application/dns-message', reply),
      httpFrames('x', Buffer.alloc(70_000)),
    ];
    for (let count = 0; count < INPUTS / 20; count++) {
      const [short = reply, long = reply] = sound;
      answer = mutateBytes(random() < 0.8 ? short : long, random);
      const startedMs = performance.now();
      try {
        const socket = connect({ host: '127.0.0.1', port: server.peer.port });
        await once(socket, 'connect');
        const signal = AbortSignal.timeout(LIMIT_MS);
        const outcome = await exchangeHttp2(socket, request, bounds, signal);
        figures.count(outcome.kind);
        if (outcome.kind === 'complete' && outcome.response.body.length > bounds.maxBodyBytes) {
          figures.violate(`input ${count}: the body is longer than allowed`);
        }
        if (outcome.kind === 'complete') dnsVerdict(outcome.response.body);
      } catch (error) {
        figures.violate(`input ${count}: ${String(error)}`);
      }
      if (performance.now() - startedMs > 2 * LIMIT_MS)
        figures.violate(`input ${count} takes long`);
      figures.injected += 1;
    }
    await server.close();
    expect(figures.publish().violations).toEqual([]);
  });

  test('in place of a TLS handshake, from a server that closes behind it', async () => {
    const figures = new Figures('hostile answers: TLS');
    const random = seededRandom(20_261_122);
    let answer: Buffer = Buffer.alloc(0);
    const server = await FakeTlsServer.plain((connection) => {
      connection.once('data', () => connection.end(answer));
    });
    const terms = { name: 'x', authorities: undefined, insecure: true, minDays: undefined };
    for (let count = 0; count < INPUTS / 20; count++) {
      answer = mutateBytes(SERVER_HELLO, random);
      const startedMs = performance.now();
      try {
        const signal = AbortSignal.timeout(LIMIT_MS);
        const outcome = await openTls(server.peer, terms, ['h2'], 'x', signal);
        if (outcome.kind === 'open') throw new Error('shook hands with nobody');
        figures.count(outcome.verdict.status);
        if (outcome.verdict.status !== 'down') figures.violate(outcome.verdict.detail);
      } catch (error) {
        figures.violate(`input ${count}: ${String(error)}`);
      }
      if (performance.now() - startedMs > 2 * LIMIT_MS)
        figures.violate(`input ${count} takes long`);
      figures.injected += 1;
    }
    await server.close();
    expect(figures.publish().violations).toEqual([]);
  });

  test('in syslog, in pieces', () => {
    const nonce = 'a1b2c3d4a1b2c3d4';
    const line = Buffer.from(
      `57 <135>1 - host syslog-probe - - - ${nonce}\n<1>x ${nonce.slice(3)}`,
    );
    const figures = feed('syslog', INPUTS / 2, (random) => {
      const search = new StreamSearch(nonce);
      const stream = mutateBytes(line, random);
      let found = false;
      for (const piece of pieces(stream, random)) {
        if (search.push(piece.toString('latin1'))) found = true;
      }
      if (found !== stream.includes(nonce))
        throw new Error('found what is not there, or missed it');
      return found ? 'found' : 'not found';
    });
    expect(figures.violations).toEqual([]);
  });

  test('in the output and the exit status of a command', () => {
    const output = Buffer.from('OK - all is \u001b[31mwell\r\n| perf=1;2;3\n\u202edetails\n');
    const figures = feed('exec', INPUTS / 2, (random) => {
      const exitStatus = below(random, 256);
      const stdout = mutateBytes(output, random).toString('utf8');
      const outcome = { ending: { kind: 'exited', exitStatus } as const, stdout, stderr: stdout };
      const { status, detail } = judge(outcome, {
        file: '/bin/x',
        warningIs: 'down',
        isPlugin: true,
      });
      if (/[\p{Cc}\u202e]/u.test(detail) || detail.length > 300) throw new Error('not printable');
      return status;
    });
    expect(figures.violations).toEqual([]);
  });

  /** 64 KiB, of which each byte asks for as much work as it can. */
  const worst: readonly (readonly [what: string, work: () => unknown])[] = [
    ['DNS names that point to one another', () => dnsVerdict(header(0xffff, chained()))],
    ['as many DNS records as fit', () => dnsVerdict(header(0xffff, Buffer.alloc(65_000)))],
    [
      'as many RADIUS attributes as fit',
      () => {
        const answer = radiusAnswer(Buffer.alloc(4076, Buffer.from([18, 2])));
        return judgeAnswer(
          answer,
          request,
          secret,
          { codes: [2], messageAuthenticator: false },
          '',
        );
      },
    ],
    [
      'blanks without end from a command',
      () => {
        const stdout = `${' '.repeat(16_000)}x`.repeat(4);
        const ending = { kind: 'exited', exitStatus: 0 } as const;
        return judge(
          { ending, stdout, stderr: '' },
          { file: 'x', warningIs: 'down', isPlugin: true },
        );
      },
    ],
  ];

  function header(answers: number, rest: Buffer): Buffer {
    const message = Buffer.concat([query.subarray(0, query.length - 11), rest]).subarray(0, 65_535);
    message.writeUInt16BE(0x8180, 2);
    message.writeUInt16BE(answers, 6);
    message.writeUInt16BE(0, 10);
    return message;
  }

  function chained(): Buffer {
    const start = query.length - 11;
    const names = Buffer.alloc(65_000);
    for (let at = 2; at + 12 < names.length; at += 12) {
      names.writeUInt16BE(0xc000 | Math.min(start + at - 12, 0x3fff), at);
      names.writeUInt16BE(5, at + 2);
    }
    return names;
  }

  test.each(worst)('%s: it is read in no time', (_, work) => {
    const startedMs = performance.now();
    work();
    expect(performance.now() - startedMs).toBeLessThan(LIMIT_MS);
  });
});

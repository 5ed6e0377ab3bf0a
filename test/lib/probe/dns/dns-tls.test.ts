import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { probeDns, type DnsOptions } from '../../../../src/lib/probe/dns/dns-probe.ts';
import { parseQuery } from '../../../../src/lib/probe/dns/dns-query.ts';
import type { TlsTerms } from '../../../../src/lib/probe/tls-connection.ts';
import { makeCertificates } from '../../../support/certificates.ts';
import { answerTo, framed } from '../../../support/dns-answers.ts';
import { PLAIN_EXPECTATION, PLAIN_STYLE } from '../../../support/dns-asking.ts';
import { FakeTlsServer } from '../../../support/fake-tls-server.ts';
import { answer, field, FLAG, frame, FRAME, NO_SETTINGS } from '../../../support/http2-frames.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../../support/temporary-folder.ts';

const servers: FakeTlsServer[] = [];
let folder: string;
beforeAll(async () => {
  folder = createTemporaryFolder();
  await makeCertificates(folder);
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});
afterAll(() => {
  removeTemporaryFolder(folder);
});

const nothing = (): void => undefined;
const file = (name: string): string => readFileSync(path.join(folder, name), 'utf8');

type Serve = (socket: TLSSocket) => void;

/** Asks a server of the site's certificate; `PEER` in the detail stands for where it was. */
async function ask(
  transport: 'tls' | 'https',
  protocols: readonly string[],
  serve: Serve,
  more: Partial<TlsTerms> & { readonly timeoutMs?: number } = {},
): Promise<string> {
  const options = { cert: file('www.pem'), key: file('www.key'), ALPNProtocols: [...protocols] };
  const server = await FakeTlsServer.tls(options, serve);
  servers.push(server);
  const { timeoutMs = 10_000, ...terms } = more;
  const tls = {
    name: 'www.test',
    authorities: [file('ca.pem')],
    insecure: false,
    minDays: undefined,
  };
  const asked: DnsOptions = {
    servers: [{ ...server.peer, tls: { ...tls, ...terms } }],
    queries: [parseQuery('. SOA')],
    require: 'all',
    transport,
    style: PLAIN_STYLE,
    expected: PLAIN_EXPECTATION,
  };
  const log = { step: nothing, notice: nothing, warning: nothing, error: nothing };
  const verdict = await probeDns(asked, { signal: AbortSignal.timeout(timeoutMs), log });
  const reason = verdict.status === 'up' ? '' : ` (${verdict.reason})`;
  const detail = verdict.detail.replaceAll(`127.0.0.1:${server.peer.port}`, 'PEER');
  const dated = detail.replace(/(under )?\d+ ms/, 'N ms').replace(/\d{4}-\d\d-\d\d/, 'DAY');
  return `${verdict.status}${reason}: ${dated.replace(/within \d+ms/, 'in time')}`;
}

describe('over TLS', () => {
  const label = 'PEER/tls . SOA';

  function onQuery(serve: (socket: TLSSocket, query: Buffer) => void): Serve {
    return (socket) => {
      socket.once('data', (chunk: Buffer) => {
        serve(socket, chunk.subarray(2));
      });
    };
  }

  test('an answer is right, and shows how long the certificate is valid', async () => {
    const right = onQuery((socket, query) => socket.end(framed(answerTo(query))));
    expect(await ask('tls', [], right)).toBe(
      `up: ${label}: NOERROR, 1 answer in N ms, certificate until DAY`,
    );
  });

  test.each<[what: string, serve: Serve, verdict: string]>([
    [
      'the end',
      (socket) => socket.end(),
      `down (reset): ${label}: connection closed after 0 bytes`,
    ],
    [
      'half an answer',
      onQuery((socket, query) => socket.end(framed(answerTo(query)).subarray(0, 20))),
      `down (reset): ${label}: connection closed after 20 bytes`,
    ],
    [
      'an endless stream',
      onQuery((socket) => {
        const pour = (): void => {
          while (!socket.destroyed && socket.write(Buffer.alloc(10_000, 1)));
        };
        socket.on('drain', pour);
        pour();
      }),
      'bytes without an answer',
    ],
  ])('%s in place of an answer', async (_, serve, verdict) => {
    expect(await ask('tls', [], serve)).toContain(verdict);
  });

  test('silence behind the handshake ends at the deadline', async () => {
    expect(await ask('tls', [], nothing, { timeoutMs: 400 })).toBe(
      `down (timeout): ${label}: no answer in time`,
    );
  });

  test('a wrong certificate is told, and no query is sent', async () => {
    let sent = 0;
    const serve: Serve = (socket) => socket.on('data', () => (sent += 1));
    expect(await ask('tls', [], serve, { name: 'dns.test' })).toBe(
      `down (certificate): ${label}: the certificate is not for dns.test, but for www.test, 127.0.0.1`,
    );
    expect(sent).toBe(0);
  });
});

describe('over HTTPS', () => {
  const label = 'PEER/https . SOA';
  const TYPE = 'application/dns-message';

  /** The query in the request for it. */
  function queryOf(head: string): Buffer {
    const encoded = /\/dns-query\?dns=([\w-]+)/.exec(head)?.[1] ?? '';
    return Buffer.from(encoded, 'base64url');
  }

  function http1(respond: (query: Buffer, head: string) => Buffer | string): Serve {
    return (socket) => {
      socket.once('data', (chunk: Buffer) => {
        const head = chunk.toString('latin1');
        socket.end(respond(queryOf(head), head));
      });
    };
  }

  function page(type: string, body: Buffer, status = '200 OK'): Buffer {
    const head = `HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`;
    return Buffer.concat([Buffer.from(head), body]);
  }

  test('HTTP/1.1 is spoken with a server that speaks nothing else', async () => {
    let head = '';
    const right = http1((query, given) => {
      head = given;
      return page(`${TYPE}; charset=x`, answerTo(query));
    });
    const up = `up: ${label}: NOERROR, 1 answer in N ms, certificate until DAY`;
    expect(await ask('https', ['http/1.1'], right)).toBe(up);
    expect(head).toMatch(/^GET \/dns-query\?dns=[\w-]+ HTTP\/1\.1\r\nHost: www\.test\r\n/);
    expect(head).toContain(`Accept: ${TYPE}\r\n`);
  });

  test.each<[what: string, respond: (query: Buffer) => Buffer | string, verdict: string]>([
    [
      'another page',
      () => page('text/html', Buffer.from('hi')),
      `down (malformed): ${label}: an answer of type text/html, expected ${TYPE}`,
    ],
    [
      'an error',
      () => page(TYPE, Buffer.alloc(0), '404 x'),
      `down (bad-status): ${label}: HTTP status 404`,
    ],
    [
      'no DNS',
      () => page(TYPE, Buffer.from('hi')),
      `down (malformed): ${label}: answered with 2 bytes, too few for DNS`,
    ],
    [
      'too much',
      () => page(TYPE, Buffer.alloc(65_536)),
      `down (malformed): ${label}: an answer longer than DNS can be`,
    ],
    ['no HTTP', () => 'hello\r\n\r\n', `down (malformed): ${label}: no HTTP status line`],
    [
      'the answer to another question',
      (query) => page(TYPE, answerTo(query, { id: 1 })),
      `down (malformed): ${label}: answered with a wrong id`,
    ],
  ])('%s is no answer', async (_, respond, verdict) => {
    expect(await ask('https', ['http/1.1'], http1(respond))).toBe(verdict);
  });

  describe('by HTTP/2', () => {
    /** Sends bytes as soon as the connection is there. */
    const say =
      (...frames: readonly Buffer[]): Serve =>
      (socket) => {
        socket.write(Buffer.concat(frames));
        socket.resume();
      };
    const status = field(':status', '200');

    test.each<[what: string, serve: Serve, verdict: RegExp]>([
      [
        'no HTTP/2',
        say(Buffer.from('HTTP/1.1 400 x\r\n\r\n')),
        /^down \(malformed\): .*: HTTP\/2: /,
      ],
      [
        'a frame out of order',
        say(NO_SETTINGS, frame(FRAME.continuation, FLAG.endHeaders, 1, status)),
        /^down \(malformed\): .*: HTTP\/2: CONTINUATION: unexpected$/,
      ],
      [
        'data before its header',
        say(NO_SETTINGS, frame(FRAME.data, 0, 3, Buffer.from('x'))),
        /^down \(malformed\): .*: HTTP\/2: DATA: stream in idle$/,
      ],
      [
        'a frame longer than allowed',
        say(NO_SETTINGS, Buffer.from([255, 255, 255, 0, 0, 0, 0, 0, 1])),
        /^down \(malformed\): .*: HTTP\/2: /,
      ],
      [
        'a stream that nobody asked for',
        say(NO_SETTINGS, frame(FRAME.headers, FLAG.endHeaders, 2, status)),
        /^down \(malformed\): .*: HTTP\/2: /,
      ],
      [
        'a refused stream',
        say(NO_SETTINGS, frame(FRAME.resetStream, 0, 1, Buffer.from([0, 0, 0, 7]))),
        /^down \((malformed|reset)\): /,
      ],
      [
        'a goodbye',
        say(NO_SETTINGS, frame(FRAME.goAway, 0, 0, Buffer.from([0, 0, 0, 0, 0, 0, 0, 11]))),
        /^down \((malformed|reset)\): /,
      ],
      [
        'an end',
        (socket) => socket.end(NO_SETTINGS),
        /^down \(reset\): .*: closed after (nothing|\d+ bytes of HTTP\/2 and no answer)$/,
      ],
      ['another page', say(answer('text/html', Buffer.from('hi'))), /an answer of type text\/html/],
      ['no DNS', say(answer(TYPE, Buffer.from('hi'))), /answered with 2 bytes, too few for DNS$/],
    ])('%s is no answer', async (_, serve, verdict) => {
      expect(await ask('https', ['h2'], serve)).toMatch(verdict);
    });

    test('a header that has no end is none', async () => {
      const endless: Serve = (socket) => {
        socket.write(Buffer.concat([NO_SETTINGS, frame(FRAME.headers, 0, 1, status)]));
        const more = frame(FRAME.continuation, 0, 1, field('a', 'x'.repeat(100)));
        const pour = (): void => {
          while (!socket.destroyed && socket.write(more));
        };
        socket.on('drain', pour);
        pour();
      };
      expect(await ask('https', ['h2'], endless, { timeoutMs: 3000 })).toMatch(
        /^down \((malformed|reset|timeout)\): PEER\/https \. SOA: /,
      );
    });

    test('silence ends at the deadline', async () => {
      expect(await ask('https', ['h2'], say(NO_SETTINGS), { timeoutMs: 500 })).toBe(
        `down (timeout): ${label}: no whole answer in time, got 9 bytes of HTTP/2 and no answer`,
      );
      const begun = say(NO_SETTINGS, frame(FRAME.headers, FLAG.endHeaders, 1, status));
      expect(await ask('https', ['h2'], begun, { timeoutMs: 500 })).toMatch(
        /got (\d+ bytes of HTTP\/2 and no answer|status 200 and 0 bytes of the body)$/,
      );
    });
  });
});

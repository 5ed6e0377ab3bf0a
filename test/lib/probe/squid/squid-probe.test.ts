import { createServer as createHttpServer } from 'node:http';
import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import type { Verdict } from '../../../../src/lib/probe/probe.ts';
import { probeSquid, type SquidProbeOptions } from '../../../../src/lib/probe/squid/squid-probe.ts';
import { FakeHttpProxy, type Behaviour } from '../../../support/fake-http-proxy.ts';
import { freePort } from '../../../support/fake-syslog.ts';
import { until } from '../../../support/until.ts';

const proxies: FakeHttpProxy[] = [];

afterEach(async () => {
  for (const proxy of proxies.splice(0)) await proxy.close();
});

async function serve(behaviour: Behaviour | string): Promise<FakeHttpProxy> {
  const answer: Behaviour =
    typeof behaviour === 'string' ? (connection) => connection.end(behaviour, 'latin1') : behaviour;
  const proxy = await FakeHttpProxy.start(answer);
  proxies.push(proxy);
  return proxy;
}

const nothing = (): void => undefined;

function ask(
  proxy: Pick<FakeHttpProxy, 'peer'>,
  options: Partial<SquidProbeOptions> = {},
  timeoutMs = 10_000,
): Promise<Verdict> {
  return probeSquid(
    {
      proxy: proxy.peer,
      question: { kind: 'url', method: 'GET', url: '/icon' },
      status: [{ first: 200, last: 299 }],
      body: undefined,
      credentials: undefined,
      ...options,
    },
    {
      signal: AbortSignal.timeout(timeoutMs),
      log: { step: nothing, notice: nothing, warning: nothing, error: nothing },
    },
  );
}

function nameOf({ peer }: FakeHttpProxy, asked = 'GET /icon'): string {
  return `127.0.0.1:${peer.port} ${asked}`;
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi';

describe('the request', () => {
  test('for a path of the proxy itself names the proxy as host', async () => {
    const proxy = await serve(OK);
    const verdict = await ask(proxy);
    expect(verdict.status).toBe('up');
    expect(verdict.detail).toMatch(/^127\.0\.0\.1:\d+ GET \/icon: status 200 in \d+ ms$/);
    expect(proxy.requests).toEqual([
      [
        'GET /icon HTTP/1.1',
        `Host: 127.0.0.1:${proxy.peer.port}`,
        'User-Agent: anycast-ha',
        'Connection: close',
        'Accept: */*',
        '',
        '',
      ].join('\r\n'),
    ]);
  });

  test('for a URL is absolute, and has a new nonce each time', async () => {
    const proxy = await serve(OK);
    const url = 'http://Example.ORG:80/a b?{nonce}&{nonce}#part';
    await ask(proxy, { question: { kind: 'url', method: 'HEAD', url } });
    await ask(proxy, { question: { kind: 'url', method: 'HEAD', url } });
    const [first, second] = proxy.requests.map((request) => {
      const match =
        /^HEAD http:\/\/example\.org\/a%20b\?([0-9a-f]{16})&([0-9a-f]{16}) HTTP\/1\.1\r\nHost: example\.org\r\n/.exec(
          request,
        );
      return match?.slice(1);
    });
    expect(new Set([...(first ?? []), ...(second ?? [])]).size).toBe(4);
  });

  test('for a tunnel is CONNECT, and nothing is sent through it', async () => {
    let sentBehind = '';
    const proxy = await serve((connection) => {
      connection.on('data', (text: string) => (sentBehind += text));
      connection.write('HTTP/1.0 200 Connection established\r\n\r\n');
    });
    const verdict = await ask(proxy, { question: { kind: 'connect', authority: 'a.test:443' } });
    expect(verdict.status).toBe('up');
    expect(proxy.requests[0]).toMatch(/^CONNECT a\.test:443 HTTP\/1\.1\r\nHost: a\.test:443\r\n/);
    await until('the tunnel is closed', () => proxy.openConnections === 0);
    expect(sentBehind).toBe('');
  });

  test('carries the credentials as RFC 7617 encodes them', async () => {
    const proxy = await serve(OK);
    await ask(proxy, { credentials: { user: 'Aladdin', password: Buffer.from('open sesame') } });
    expect(proxy.requests[0]).toContain(
      '\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n',
    );
  });
});

describe('the status', () => {
  test.each([
    ['200-299', 204, 'up'],
    ['200-299', 300, 'down'],
    ['403', 403, 'up'],
    ['403', 200, 'down'],
  ])('with %s expected, %i is %s', async (range, code, status) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    const proxy = await serve(`HTTP/1.1 ${code} X\r\nVia: 1.1 a\r\nContent-Length: 0\r\n\r\n`);
    expect(await ask(proxy, { status: [{ first, last }] })).toMatchObject({ status });
  });

  test('that is right needs the whole body to be up', async () => {
    const proxy = await serve('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel');
    expect(await ask(proxy)).toEqual({
      status: 'down',
      reason: 'reset',
      detail: `${nameOf(proxy)}: closed after status 200 and 3 bytes of the body`,
    });
  });

  test('of a refused tunnel is the proxy’s own', async () => {
    const proxy = await serve('HTTP/1.1 503 X\r\nVia: 1.1 a\r\nContent-Length: 0\r\n\r\n');
    const question = { kind: 'connect', authority: '[::1]:443' } as const;
    expect(await ask(proxy, { question })).toEqual({
      status: 'down',
      reason: 'proxy-error',
      detail: `${nameOf(proxy, 'CONNECT [::1]:443')}: status 503, from the proxy`,
    });
  });
});

describe('a wrong status is told', () => {
  test.each([
    ['of squid’s own page', 503, 'X-Squid-Error: ERR_DNS_FAIL 0\r\nVia: 1.1 a (squid/5.7)', true],
    ['of squid’s own page with via off', 404, 'X-Squid-Error: ERR_INVALID_REQ 0', true],
    ['of a squid further on', 503, 'X-Squid-Error: ERR_DNS_FAIL 0\r\nVia: 1.1 b, 1.1 a', false],
    ['of an origin', 503, 'Via: 1.1 a (squid/5.7)', false],
    ['of an origin behind squid with via off', 503, 'X-Cache: MISS from a', false],
    ['of an origin that is squid', 404, 'Server: squid/6.1\r\nVia: 1.1 a', false],
    ['of tinyproxy’s own page', 500, 'Server: tinyproxy/1.11.1', true],
    ['of a demand to log in to the proxy', 407, 'Via: 1.1 b, 1.1 a', true],
    ['of an error with Proxy-Status', 500, 'Proxy-Status: a; error=dns_error\r\nVia: 1.1 a', true],
    ['of an origin with Proxy-Status', 500, 'Proxy-Status: a\r\nVia: 1.1 a', false],
    ['of a gateway without a trace of forwarding', 502, 'Server: x', true],
    ['of anything else without one', 404, 'Server: x', false],
  ])('%s', async (_, code, fields, isProxy) => {
    const proxy = await serve(`HTTP/1.1 ${code} X\r\n${fields}\r\nContent-Length: 0\r\n\r\n`);
    const verdict = await ask(proxy);
    expect(verdict).toMatchObject({
      status: 'down',
      reason: isProxy ? 'proxy-error' : 'bad-status',
    });
    expect(verdict.detail).toContain(`: status ${code}`);
    expect(verdict.detail).toMatch(isProxy ? /, from the proxy$/ : /, from the origin$/);
  });

  test('with the name of squid’s error, without what a log must not show', async () => {
    const long = `ERR_\u00e9\u00e8${'x'.repeat(200)}`;
    const proxy = await serve(
      `HTTP/1.1 503 X\r\nX-Squid-Error: ${long}\r\nContent-Length: 0\r\n\r\n`,
    );
    expect((await ask(proxy)).detail).toBe(
      `${nameOf(proxy)}: status 503 (ERR_??${'x'.repeat(74)}), from the proxy`,
    );
  });
});

describe('the body', () => {
  test('is matched as UTF-8', async () => {
    const body = Buffer.from('prêt à porter').toString('latin1');
    const proxy = await serve(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    expect(await ask(proxy, { body: /^pr.t à/u })).toMatchObject({ status: 'up' });
    expect(await ask(proxy, { body: /absent/u })).toEqual({
      status: 'down',
      reason: 'wrong-answer',
      detail: `${nameOf(proxy)}: status 200, no match in the body`,
    });
  });

  test('that never ends is read up to 1 MiB', async () => {
    const proxy = await serve((connection) => {
      connection.write('HTTP/1.1 200 OK\r\n\r\n');
      const more = (): void => {
        while (!connection.destroyed && connection.write('x'.repeat(65_536)));
      };
      connection.on('drain', more);
      more();
    });
    expect(await ask(proxy)).toMatchObject({ status: 'up' });
    expect(await ask(proxy, { body: /y/u })).toEqual({
      status: 'down',
      reason: 'wrong-answer',
      detail: `${nameOf(proxy)}: status 200, no match in the first 1048576 bytes of the body`,
    });
  });

  test('comes over as node:http sends it, by length, in chunks or to the end', async () => {
    const words = Array.from({ length: 3000 }, (_, index) => `word-${index}`);
    const server = createHttpServer((request, response) => {
      if (request.url === '/length') response.setHeader('Content-Length', words.join('').length);
      if (request.url === '/end') response.useChunkedEncodingByDefault = false;
      for (const word of words) response.write(word);
      response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const bound = server.address();
    if (bound === null || typeof bound === 'string') throw new Error('no port');
    const peer = { address: { family: 4, text: '127.0.0.1' }, port: bound.port } as const;
    for (const url of ['/length', '/chunks', '/end']) {
      const body = new RegExp(`^${words.join('')}$`, 'u');
      const question = { kind: 'url', method: 'GET', url } as const;
      expect(await ask({ peer }, { question, body })).toMatchObject({ status: 'up' });
    }
    server.close();
  });
});

describe('a proxy that misbehaves is down', () => {
  test('when it says something else than HTTP', async () => {
    const proxy = await serve('220 mail ready\r\n\r\n');
    expect(await ask(proxy)).toEqual({
      status: 'down',
      reason: 'malformed',
      detail: `${nameOf(proxy)}: no HTTP status line`,
    });
  });

  test('when it sends header fields without end', async () => {
    const proxy = await serve((connection) => {
      connection.write('HTTP/1.1 200 OK\r\n');
      const more = (): void => {
        while (!connection.destroyed && connection.write('A: b\r\n'.repeat(1000)));
      };
      connection.on('drain', more);
      more();
    });
    expect(await ask(proxy)).toEqual({
      status: 'down',
      reason: 'malformed',
      detail: `${nameOf(proxy)}: header longer than 65536 bytes`,
    });
  });

  test('when it sends chunks that are all extension', async () => {
    const proxy = await serve((connection) => {
      connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      const chunk = `1;${'a'.repeat(60_000)}\r\nx\r\n`;
      const more = (): void => {
        while (!connection.destroyed && connection.write(chunk));
      };
      connection.on('drain', more);
      more();
    });
    expect(await ask(proxy)).toMatchObject({ status: 'down', reason: 'malformed' });
  });

  test('when it closes without a word', async () => {
    const proxy = await serve((connection) => connection.end());
    expect(await ask(proxy)).toEqual({
      status: 'down',
      reason: 'reset',
      detail: `${nameOf(proxy)}: closed after nothing`,
    });
  });

  test('when it resets the connection', async () => {
    const proxy = await serve((connection) => connection.resetAndDestroy());
    expect(await ask(proxy)).toMatchObject({ status: 'down', reason: 'reset' });
  });

  test('when it sends one byte now and then, at the deadline and not later', async () => {
    const proxy = await serve((connection) => {
      let sent = 0;
      const timer = setInterval(() => {
        if (connection.destroyed) clearInterval(timer);
        else connection.write(OK[sent++] ?? '');
      }, 50);
    });
    const startMs = performance.now();
    const verdict = await ask(proxy, {}, 400);
    expect(performance.now() - startMs).toBeLessThan(5000);
    expect(verdict).toMatchObject({ status: 'down', reason: 'timeout' });
    expect(verdict.detail).toMatch(/: no whole answer in time, got \d bytes of the header$/);
    await until('the connection is closed', () => proxy.openConnections === 0);
  });

  test('when it accepts and says nothing', async () => {
    const proxy = await serve(nothing);
    expect(await ask(proxy, {}, 100)).toEqual({
      status: 'down',
      reason: 'timeout',
      detail: `${nameOf(proxy)}: no whole answer in time, got nothing`,
    });
  });

  test('when nobody listens', async () => {
    const port = await freePort();
    const peer = { address: { family: 4, text: '127.0.0.1' }, port } as const;
    expect(await ask({ peer })).toEqual({
      status: 'down',
      reason: 'refused',
      detail: `127.0.0.1:${port} GET /icon: connection refused`,
    });
  });
});

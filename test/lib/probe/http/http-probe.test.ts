import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { probeHttp, type HttpProbeOptions } from '../../../../src/lib/probe/http/http-probe.ts';
import type { Verdict } from '../../../../src/lib/probe/probe.ts';
import { makeCertificates } from '../../../support/certificates.ts';
import { FakeHttpProxy, type Behaviour } from '../../../support/fake-http-proxy.ts';
import { FakeTlsServer } from '../../../support/fake-tls-server.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../../support/temporary-folder.ts';

const servers: { close(): Promise<void> }[] = [];
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

async function ask(
  { peer }: Pick<FakeTlsServer, 'peer'>,
  options: Partial<HttpProbeOptions> = {},
  timeoutMs = 10_000,
): Promise<string> {
  const scheme = options.tls === undefined ? 'http' : 'https';
  const verdict: Verdict = await probeHttp(
    {
      server: peer,
      url: `${scheme}://www.test/`,
      host: 'www.test',
      method: 'GET',
      headers: [],
      status: [{ first: 200, last: 299 }],
      body: undefined,
      tls: undefined,
      ...options,
    },
    {
      signal: AbortSignal.timeout(timeoutMs),
      log: { step: nothing, notice: nothing, warning: nothing, error: nothing },
    },
  );
  const reason = verdict.status === 'up' ? '' : ` (${verdict.reason})`;
  const detail = verdict.detail.replaceAll(`127.0.0.1:${peer.port}`, 'PEER');
  return `${verdict.status}${reason}: ${detail.replace(/\d+ ms/, 'N ms')}`;
}

async function serve(behaviour: Behaviour | string): Promise<FakeHttpProxy> {
  const answer: Behaviour =
    typeof behaviour === 'string' ? (connection) => connection.end(behaviour, 'latin1') : behaviour;
  const server = await FakeHttpProxy.start(answer);
  servers.push(server);
  return server;
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi';
const GET = 'PEER GET http://www.test/';

test('the request names the site, asks for no coding, and has a new nonce each time', async () => {
  const server = await serve(OK);
  expect(await ask(server)).toBe(`up: ${GET}: status 200 in N ms`);
  const url = 'http://www.test/a b?{nonce}#part';
  const headers = [['accept', 'text/html'] as const, ['X-Probe', 'yes'] as const];
  for (let count = 0; count < 2; count++) await ask(server, { url, headers, method: 'HEAD' });
  const [plain, first, second] = server.requests;
  expect(plain).toBe(
    [
      ...['GET / HTTP/1.1', 'Host: www.test', 'Connection: close', 'User-Agent: anycast-ha'],
      ...['Accept: */*', 'Accept-Encoding: identity', '', ''],
    ].join('\r\n'),
  );
  expect(first).toMatch(
    /^HEAD \/a%20b\?[0-9a-f]{16} HTTP\/1\.1\r\n[^]*Encoding: identity\r\naccept: text\/html\r\nX-Probe: yes\r\n/,
  );
  expect(first).not.toContain('*/*');
  expect(second).not.toBe(first);
});

describe('what no web server should do:', () => {
  test.each<[what: string, answer: Behaviour | string, verdict: string]>([
    ['no HTTP', 'SSH-2.0-x\r\n', `down (malformed): ${GET}: no HTTP status line`],
    ['nothing', (c) => c.end(), `down (reset): ${GET}: closed after nothing`],
    [
      'half a body',
      'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi',
      `down (reset): ${GET}: closed after status 200 and 2 bytes of the body`,
    ],
    [
      'a location that rewrites the terminal',
      'HTTP/1.1 302 x\r\nLocation: /\u009b2Jx\r\nContent-Length: 0\r\n\r\n',
      `down (bad-status): ${GET}: status 302, a redirect to / 2Jx, which is not followed`,
    ],
  ])('%s', async (_, answer, verdict) => {
    expect(await ask(await serve(answer))).toBe(verdict);
  });

  test.each<[what: string, answer: Behaviour, got: string]>([
    ['an endless header', endless('HTTP/1.1 200 OK\r\n', 'a: b\r\n'), 'header longer than 65536'],
    ['endless interim answers', endless('', 'HTTP/1.1 102 x\r\n\r\n'), 'header longer than 65536'],
  ])('%s ends at once', async (_, answer, got) => {
    expect(await ask(await serve(answer))).toContain(`down (malformed): ${GET}: ${got}`);
  });

  test.each<[what: string, answer: Behaviour, got: string]>([
    ['a slow header', trickle('HTTP/1.1 200 OK\r\n', 'a'), 'bytes of the header'],
    ['a slow body', trickle('HTTP/1.1 200 OK\r\n\r\n', 'a'), 'bytes of the body'],
  ])('%s ends at the deadline', async (_, answer, got) => {
    const verdict = await ask(await serve(answer), {}, 300);
    expect(verdict).toContain(`down (timeout): ${GET}: no whole answer in time, got `);
    expect(verdict).toContain(got);
  });

  function endless(head: string, more: string): Behaviour {
    return (connection) => {
      connection.write(head);
      const pour = (): void => {
        while (!connection.destroyed && connection.write(more.repeat(100)));
      };
      connection.on('drain', pour);
      pour();
    };
  }

  function trickle(head: string, more: string): Behaviour {
    return (connection) => {
      connection.write(head);
      const timer = setInterval(() => connection.write(more), 20);
      connection.on('close', () => {
        clearInterval(timer);
      });
    };
  }
});

describe('over TLS', () => {
  const file = (name: string): string => readFileSync(path.join(folder, name), 'utf8');
  const terms = (
    more: Partial<NonNullable<HttpProbeOptions['tls']>> = {},
  ): HttpProbeOptions['tls'] => ({
    name: 'www.test',
    authorities: [file('ca.pem')],
    insecure: false,
    minDays: undefined,
    ...more,
  });
  const LABEL = 'PEER GET https://www.test/';

  async function serveTls(name = 'www', answer = OK): Promise<FakeTlsServer> {
    const options = { cert: file(`${name}.pem`), key: file(`${name}.key`) };
    const server = await FakeTlsServer.tls(options, (socket) => {
      socket.once('data', () => socket.end(answer));
    });
    servers.push(server);
    return server;
  }

  test('the certificate of the site is right, and its end is told', async () => {
    const server = await serveTls();
    expect(await ask(server, { tls: terms() })).toMatch(
      /^up: PEER GET https:\/\/www\.test\/: status 200 in N ms, certificate until \d{4}-\d\d-\d\d$/,
    );
    expect(await ask(server, { tls: terms({ name: '127.0.0.1' }) })).toMatch(/^up/);
    const anybody = { name: 'x.test', authorities: undefined, insecure: true };
    expect(await ask(server, { tls: terms(anybody) })).toMatch(/^up/);
  });

  test('a wrong certificate, or one that is over soon, is no service', async () => {
    const server = await serveTls('short');
    expect(await ask(server, { tls: terms({ name: 'x.test' }) })).toBe(
      `down (certificate): ${LABEL}: the certificate is not for x.test, but for www.test, 127.0.0.1`,
    );
    expect(await ask(server, { tls: terms({ authorities: [file('www.pem')] }) })).toMatch(
      /^down \(certificate\): .* is not accepted: its authority is not trusted here, or /,
    );
    expect(await ask(server, { tls: terms({ minDays: 2 }) })).toMatch(/^up/);
    expect(await ask(server, { tls: terms({ minDays: 3, insecure: true }) })).toMatch(
      /^down \(certificate\): .*: the certificate is valid for 2 days, until [\d-]+, wanted are 3 days$/,
    );
  });

  test.each<[what: string, reply: Buffer | undefined | 'end', verdict: string]>([
    ['silence', undefined, `down (timeout): ${LABEL}: no TLS handshake in time`],
    ['an end', 'end', `down (reset): ${LABEL}: closed in the TLS handshake`],
    [
      'an alert',
      Buffer.from([0x15, 3, 3, 0, 2, 2, 80]),
      `down (tls): ${LABEL}: TLS failed: tlsv1 alert internal error`,
    ],
    ['plain text', Buffer.from(OK), `down (tls): ${LABEL}: TLS failed: wrong version number`],
  ])('%s in place of the handshake', async (_, reply, verdict) => {
    const server = await FakeTlsServer.plain((socket) => {
      socket.once('data', () => {
        if (reply === 'end') socket.end();
        else if (reply !== undefined) socket.write(reply);
      });
    });
    servers.push(server);
    const timeoutMs = reply === undefined ? 300 : 10_000;
    expect(await ask(server, { tls: terms() }, timeoutMs)).toBe(verdict);
  });
});

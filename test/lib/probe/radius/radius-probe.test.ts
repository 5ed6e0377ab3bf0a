import { createSocket } from 'node:dgram';
import { afterEach, expect, test } from 'vitest';
import type { Verdict } from '../../../../src/lib/probe/probe.ts';
import {
  probeRadius,
  type RadiusProbeOptions,
} from '../../../../src/lib/probe/radius/radius-probe.ts';
import { answerTo, attribute, FakeRadiusServer } from '../../../support/fake-radius-server.ts';
import { until } from '../../../support/until.ts';

const SECRET = 'foobar';
const servers: FakeRadiusServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function serve(answers: (request: Buffer) => readonly Buffer[]): Promise<FakeRadiusServer> {
  const server = await FakeRadiusServer.start(answers);
  servers.push(server);
  return server;
}

async function ask(
  server: Pick<FakeRadiusServer, 'endpoint'>,
  options: Partial<RadiusProbeOptions> = {},
  timeoutMs = 10_000,
): Promise<{ verdict: Verdict; steps: string[] }> {
  const steps: string[] = [];
  const nothing = (): void => undefined;
  const verdict = await probeRadius(
    {
      server: server.endpoint,
      question: { mode: 'status' },
      secret: Buffer.from(SECRET),
      expect: 'accept',
      requireMessageAuthenticator: false,
      nasIdentifier: 'anycast-ha',
      attributes: [],
      ...options,
    },
    {
      signal: AbortSignal.timeout(timeoutMs),
      log: { step: (step) => steps.push(step), notice: nothing, warning: nothing, error: nothing },
    },
  );
  return { verdict, steps };
}

function accept(request: Buffer): Buffer {
  return answerTo(request, { code: 2, secret: SECRET });
}

test('an Access-Accept is up', async () => {
  const server = await serve((request) => [accept(request)]);
  const { verdict } = await ask(server);
  expect(verdict).toEqual({
    status: 'up',
    detail: `Status-Server to 127.0.0.1:${server.endpoint.port}: Access-Accept`,
  });
});

test('a Reject and a Challenge are answers, and down', async () => {
  for (const code of [3, 11]) {
    const server = await serve((request) => [answerTo(request, { code, secret: SECRET })]);
    const { verdict } = await ask(server);
    expect(verdict).toMatchObject({ status: 'down', reason: 'rejected' });
  }
});

test('a login whose Reject is expected is up, and shows the server’s words', async () => {
  const server = await serve((request) => [
    answerTo(request, { code: 3, secret: SECRET, attributes: attribute(18, 'Go away') }),
  ]);
  const { verdict } = await ask(server, {
    question: { mode: 'auth', user: 'probe', password: 'wrong', auth: 'pap' },
    expect: 'reject',
    requireMessageAuthenticator: true,
  });
  expect(verdict.status).toBe('up');
  expect(verdict.detail).toContain('Access-Reject "Go away"');
});

test('an answer without the demanded Message-Authenticator is down', async () => {
  const server = await serve((request) => [
    answerTo(request, { code: 2, secret: SECRET, messageAuthenticator: 'absent' }),
  ]);
  const { verdict } = await ask(server, { requireMessageAuthenticator: true });
  expect(verdict).toMatchObject({ status: 'down', reason: 'unauthenticated' });
  expect(verdict.detail).toContain('CVE-2024-3596');
});

test('strangers’ datagrams are ignored, and the answer behind them is taken', async () => {
  const server = await serve((request) => {
    const forged = answerTo(request, { code: 3, secret: 'guessed' });
    const otherIdentifier = accept(request);
    otherIdentifier.writeUInt8(request.readUInt8(1) ^ 1, 1);
    const cut = accept(request).subarray(0, 25);
    const overLong = Buffer.alloc(5000, 2);
    overLong.writeUInt16BE(5000, 2);
    return [Buffer.alloc(0), forged, otherIdentifier, cut, overLong, request, accept(request)];
  });
  const { verdict, steps } = await ask(server);
  expect(verdict.status).toBe('up');
  expect(steps.join('\n')).toContain('ignored an answer with a length below a header');
});

test('an answer from another port is not even seen', async () => {
  const server = await serve(() => []);
  const other = createSocket('udp4');
  const asked = ask(server, {}, 600);
  await until('the request', () => server.requests.length > 0);
  for (const { packet, port } of server.requests) other.send(accept(packet), port, '127.0.0.1');
  const { verdict } = await asked;
  other.close();
  expect(verdict).toMatchObject({ status: 'down', reason: 'timeout' });
  expect(verdict.detail).toContain('a wrong secret looks the same');
});

test('silence is down at the timeout, and says that a wrong secret looks the same', async () => {
  const server = await serve(() => []);
  const { verdict } = await ask(server, {}, 100);
  expect(verdict).toMatchObject({ status: 'down', reason: 'timeout' });
  expect(verdict.detail).toContain('(a wrong secret looks the same)');
});

test('silence behind a login may be a reject that is delayed', async () => {
  const server = await serve(() => []);
  const question = { mode: 'auth', user: 'probe', password: 'wrong', auth: 'pap' } as const;
  const { verdict } = await ask(server, { question }, 100);
  expect(verdict.detail).toContain(
    '(a wrong secret looks the same, and so does a reject that FreeRADIUS delays by its reject_delay, 1 s by default: see --timeout)',
  );
});

test('nothing but answers with another secret says how many were ignored, and why', async () => {
  const server = await serve((request) => [
    answerTo(request, { code: 3, secret: 'other' }),
    answerTo(request, { code: 3, secret: 'other' }),
  ]);
  const { verdict } = await ask(server, {}, 300);
  expect(verdict).toMatchObject({ status: 'down', reason: 'timeout' });
  expect(verdict.detail).toContain(
    '2 datagrams were ignored, the first for a wrong authenticator: is the secret right?',
  );
});

test('a port that nobody listens on is refused', async () => {
  const server = await FakeRadiusServer.start(() => []);
  await server.close();
  const { verdict } = await ask(server);
  expect(verdict).toMatchObject({ status: 'down', reason: 'refused' });
});

test('the secret and the password show neither in the verdict nor in the steps', async () => {
  const server = await serve((request) => [answerTo(request, { code: 3, secret: 's3cret' })]);
  const { verdict, steps } = await ask(
    server,
    {
      secret: Buffer.from('s3cret'),
      question: { mode: 'auth', user: 'probe', password: 'pa55word', auth: 'pap' },
    },
    500,
  );
  expect(verdict.status).toBe('down');
  expect(JSON.stringify([verdict, steps])).not.toMatch(/s3cret|pa55word/);
});

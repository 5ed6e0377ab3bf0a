import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Daemon } from '../support/daemon.ts';
import { run } from '../support/executable.ts';
import { Namespace } from '../support/namespace.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.ts';
import { makeSite, startChunkedOrigin, WEB_SERVERS } from '../support/web-servers.ts';

describe.each(WEB_SERVERS)('$name', ({ start }) => {
  let folder: string;
  let namespace: Namespace;
  let server: Daemon;

  beforeAll(async () => {
    folder = createTemporaryFolder();
    namespace = await Namespace.create();
    await makeSite(folder);
    await startChunkedOrigin(namespace);
    server = await start(namespace, folder);
  });
  afterAll(async () => {
    await namespace.dispose();
    removeTemporaryFolder(folder);
  });

  /** Exit status and verdict on one line, with N for milliseconds and DAY for dates. */
  async function ask(...args: readonly string[]): Promise<string> {
    const all = ['--attempts', '1', '--timeout', '5s', ...args];
    const { exitCode, stdout, stderr } = await run('http-probe', all, { namespace });
    expect(stderr).toBe('');
    const line = stdout
      .trimEnd()
      .replace(/\d+ ms/g, 'N ms')
      .replace(/\d{4}-\d\d-\d\d/g, 'DAY');
    return `${String(exitCode)} ${line}`;
  }

  const HERE = '127.0.0.1:80 GET http://127.0.0.1/';

  test('is up by default, over IPv6, by HEAD, and with the body that is expected', async () => {
    expect(await ask()).toBe(`0 up: ${HERE}: status 200 in N ms`);
    expect(await ask('--body', 'welcome to www.test')).toBe(`0 up: ${HERE}: status 200 in N ms`);
    expect(await ask('--method', 'HEAD')).toMatch(/^0 up: .* HEAD .*: status 200/);
    expect(await ask('--url', 'http://[::1]/?{nonce}')).toBe(
      '0 up: [::1]:80 GET http://[::1]/?{nonce}: status 200 in N ms',
    );
  });

  test('is down with another status or another body', async () => {
    const missing = ['--url', 'http://127.0.0.1/none'];
    expect(await ask(...missing)).toBe(`2 down (bad-status): ${HERE}none: status 404`);
    expect(await ask(...missing, '--status', '200,404')).toBe(
      `0 up: ${HERE}none: status 404 in N ms`,
    );
    expect(await ask('--url', 'http://127.0.0.1/broken')).toBe(
      `2 down (bad-status): ${HERE}broken: status 503`,
    );
    expect(await ask('--body', 'farewell')).toBe(
      `2 down (wrong-answer): ${HERE}: status 200, no match in the body`,
    );
  });

  test('follows no redirect', async () => {
    const old = ['--url', 'http://127.0.0.1/old'];
    expect(await ask(...old)).toBe(
      `2 down (bad-status): ${HERE}old: status 301, a redirect to http://www.test/, which is not followed`,
    );
    expect(await ask(...old, '--status', '301')).toBe(`0 up: ${HERE}old: status 301 in N ms`);
  });

  test('takes chunks for a body, and says what came compressed unasked', async () => {
    const chunked = ['--url', 'http://127.0.0.1/chunked', '--body', '^(piece ){5}of chunks$'];
    expect(await ask(...chunked)).toBe(`0 up: ${HERE}chunked: status 200 in N ms`);
    const gzip = ['--url', 'http://127.0.0.1/gzip'];
    expect(await ask(...gzip)).toBe(`0 up: ${HERE}gzip: status 200 in N ms`);
    expect(await ask(...gzip, '--body', 'welcome')).toBe(
      `2 down (wrong-answer): ${HERE}gzip: status 200, no match in the body, which is gzip`,
    );
    expect(await ask('--url', 'http://127.0.0.1/long.txt', '--body', 'nowhere')).toBe(
      `2 down (wrong-answer): ${HERE}long.txt: status 200, no match in the first 1048576 bytes of the body`,
    );
  });

  test('is down at the deadline where the body comes slowly or not at all', async () => {
    const short = ['--timeout', '600ms', '--url'];
    expect(await ask(...short, 'http://127.0.0.1/chunked/slow')).toMatch(
      /^2 down \(timeout\): .*: no whole answer in time, got /,
    );
    expect(await ask(...short, 'http://127.0.0.1/chunked/silent')).toMatch(
      /^2 down \(timeout\): .*: no whole answer in time, got /,
    );
  });

  describe('over TLS', () => {
    const trusting = (): readonly string[] => ['--tls-ca', path.join(folder, 'ca.pem')];
    const SITE = ['--url', 'https://www.test/', '--connect-to', '127.0.0.1'];
    const THERE = '127.0.0.1:443 GET https://www.test/';

    test('is up with the certificate of the right name, and shows its end', async () => {
      const up = `0 up: ${THERE}: status 200 in N ms, certificate until DAY`;
      expect(await ask(...SITE, ...trusting(), '--body', 'welcome')).toBe(up);
      expect(await ask(...SITE, '--tls-insecure')).toBe(up);
      expect(await ask('--url', 'https://127.0.0.1/', ...trusting())).toMatch(/^0 up: /);
      const named = ['--url', 'https://127.0.0.1/', '--host', 'www.test', ...trusting()];
      expect(await ask(...named, '--min-cert-days', '50')).toMatch(/^0 up: /);
    });

    test('is down with a certificate that is not trusted or for another name', async () => {
      expect(await ask(...SITE)).toBe(
        `2 down (certificate): ${THERE}: the certificate of www.test, 127.0.0.1, until DAY, is not accepted: its authority is not trusted here, or the server does not send the whole chain`,
      );
      expect(await ask(...SITE, ...trusting(), '--tls-name', 'other.test')).toBe(
        `2 down (certificate): ${THERE}: the certificate is not for other.test, but for www.test, 127.0.0.1`,
      );
      expect(await ask('--url', 'http://127.0.0.1:443/')).toMatch(/^2 down \(bad-status\): .* 400/);
      expect(await ask('--url', 'https://127.0.0.1:80/')).toMatch(
        /^2 down \(tls\): .*: TLS failed: wrong version number$/,
      );
    });

    test('is down where the certificate is over soon, if that is asked', async () => {
      const soon = ['--url', 'https://www.test:444/', '--connect-to', '127.0.0.1', ...trusting()];
      expect(await ask(...soon)).toMatch(/^0 up: .*, certificate until DAY$/);
      expect(await ask(...soon, '--min-cert-days', '7')).toMatch(
        /^2 down \(certificate\): 127\.0\.0\.1:444 .*: the certificate is valid for 2 days, until DAY, wanted are 7 days$/,
      );
    });
  });

  test('the service address follows it: frozen and thawed, stopped and started, killed', async () => {
    const passes = async (): Promise<readonly string[]> => {
      const args = [
        ...['--address', '192.0.2.1', '--address', '2001:db8::1', '--drain', '0s'],
        ...['--state-dir', path.join(folder, 'state'), '--persist-dir', path.join(folder, 'keep')],
        ...['--retry-delay', '50ms', '--timeout', '500ms'],
      ];
      for (let pass = 0; pass < 2; pass += 1) await run('http-probe', args, { namespace });
      return namespace.serviceAddresses();
    };
    const UP = ['192.0.2.1/32', '2001:db8::1/128'];
    expect(await passes()).toEqual(UP);
    server.freeze();
    expect(await ask('--timeout', '500ms')).toBe(
      `2 down (timeout): ${HERE}: no whole answer in time, got nothing`,
    );
    // Long enough for a busy machine: what loads TLS stands in the way of the handshake meanwhile.
    expect(await ask('--timeout', '2s', '--url', 'https://127.0.0.1/', '--tls-insecure')).toMatch(
      /^2 down \(timeout\): .*: no TLS handshake in time$/,
    );
    expect(await passes()).toEqual([]);
    server.thaw();
    expect(await passes()).toEqual(UP);
    await server.stop();
    expect(await ask()).toBe(`2 down (refused): ${HERE}: connection refused`);
    expect(await passes()).toEqual([]);
    await server.restart();
    expect(await passes()).toEqual(UP);
    await server.kill();
    expect(await passes()).toEqual([]);
  });
});

import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeCertificates } from '../support/certificates.ts';
import type { Daemon } from '../support/daemon.ts';
import { startResolver, startRootServer, TLS_SERVERS } from '../support/dns-servers.ts';
import { run } from '../support/executable.ts';
import { Namespace } from '../support/namespace.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.ts';

describe.each(TLS_SERVERS)('$name', (resolver) => {
  let folder: string;
  let namespace: Namespace;
  let daemon: Daemon;

  beforeAll(async () => {
    folder = createTemporaryFolder();
    namespace = await Namespace.create();
    await makeCertificates(folder);
    await startRootServer(namespace, folder);
    daemon = await startResolver(resolver, namespace, folder);
  });
  afterAll(async () => {
    await namespace.dispose();
    removeTemporaryFolder(folder);
  });

  /** Exit status and verdict on one line, with N for milliseconds and DAY for dates. */
  async function ask(...args: readonly string[]): Promise<string> {
    const all = ['--attempts', '1', '--timeout', '5s', '--query', 'ok.lab', ...args];
    const { exitCode, stdout, stderr } = await run('dns-probe', all, { namespace });
    expect(stderr).toBe('');
    const line = stdout.trimEnd().replace(/(under )?\d+ ms/g, 'N ms');
    return `${String(exitCode)} ${line.replace(/\d{4}-\d\d-\d\d/g, 'DAY')}`;
  }

  describe.each([
    ['tls', '127.0.0.1:853/tls'],
    ['https', '127.0.0.1:443/https'],
  ])('over %s', (transport, server) => {
    const over = ['--transport', transport];
    const authority = (): readonly string[] => ['--tls-ca', path.join(folder, 'ca.pem')];

    test('answers with a certificate of its address, or of the name that is expected', async () => {
      const up = `0 up: ${server} ok.lab. A: NOERROR, 1 answer in N ms, certificate until DAY`;
      const right = ['--answer', 'A 192.0.2.99'];
      expect(await ask(...over, ...authority(), ...right)).toBe(up);
      expect(await ask(...over, ...authority(), '--tls-name', 'www.test', ...right)).toBe(up);
      expect(await ask(...over, '--tls-insecure')).toBe(up);
      const both = ['--query', 'ok.lab', '--query', '{nonce}.lab A rcode=NXDOMAIN'];
      expect(await ask(...over, ...authority(), ...both)).toBe(
        '0 up: 3 questions right, the slowest in N ms',
      );
    });

    test('is down with a wrong answer, and with a certificate that is not right', async () => {
      expect(await ask(...over, ...authority(), '--answer', 'A 198')).toMatch(
        /^2 down \(wrong-answer\): .*: NOERROR, 1 answer in N ms, certificate until DAY, none matches/,
      );
      expect(await ask(...over)).toMatch(
        /^2 down \(certificate\): .*: the certificate of www\.test, 127\.0\.0\.1, until DAY, is not accepted: its authority is not trusted here/,
      );
      expect(await ask(...over, ...authority(), '--tls-name', 'other.test')).toBe(
        `2 down (certificate): ${server} ok.lab. A: the certificate is not for other.test, but for www.test, 127.0.0.1`,
      );
    });

    test('is down where there is no TLS', async () => {
      const anybody = ['--tls-insecure', '--timeout', '2s'];
      expect(await ask(...over, '--server', '127.0.0.1:53', ...anybody)).toMatch(
        /^2 down \((tls|reset|timeout)\): 127\.0\.0\.1:53\/\w+ ok\.lab\. A: (TLS failed|closed in the TLS handshake|no TLS handshake in time)/,
      );
      expect(await ask(...over, '--server', '127.0.0.1:54')).toMatch(
        /^2 down \(refused\): .*: connection refused$/,
      );
    });
  });

  test('over TLS or HTTPS is a timeout while it is frozen', async () => {
    daemon.freeze();
    for (const transport of ['tls', 'https']) {
      const frozen = ['--transport', transport, '--tls-insecure', '--timeout', '2s'];
      expect(await ask(...frozen)).toMatch(/^2 down \(timeout\): .*: no TLS handshake in time$/);
    }
    daemon.thaw();
    expect(await ask('--transport', 'https', '--tls-insecure')).toMatch(/^0 up/);
  });
});

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Daemon } from '../support/daemon.ts';
import {
  RESOLVERS,
  STALE_UNBOUND,
  startResolver,
  startRootServer,
} from '../support/dns-servers.ts';
import { run } from '../support/executable.ts';
import { Namespace } from '../support/namespace.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

describe.each(RESOLVERS)('$name', (resolver) => {
  let folder: string;
  let namespace: Namespace;
  let daemon: Daemon;
  let origin: Daemon;

  beforeAll(async () => {
    folder = createTemporaryFolder();
    namespace = await Namespace.create();
    origin = await startRootServer(namespace, folder);
    daemon = await startResolver(resolver, namespace, folder);
  });

  afterAll(async () => {
    await namespace.dispose();
    removeTemporaryFolder(folder);
  });

  /** Exit status and verdict on one line, with N for milliseconds. */
  async function probe(...args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await run('dns-probe', args, { namespace });
    expect(stderr).toBe('');
    return `${String(exitCode)} ${stdout.trimEnd().replace(/(under )?\d+ ms/g, 'N ms')}`;
  }

  const S = '127.0.0.1:53';

  test('answers by default', async () => {
    expect(await probe()).toBe(`0 up: ${S} . SOA: NOERROR, 1 answer in N ms`);
  });

  test('answers over IPv4 and IPv6, UDP and TCP', async () => {
    const servers = ['--server', '127.0.0.1', '--server', '::1'];
    expect(await probe(...servers, '--transport', 'both')).toBe(
      '0 up: 4 questions right, the slowest in N ms',
    );
    expect(await probe('--server', '[::1]:53', '--transport', 'tcp')).toBe(
      '0 up: [::1]:53/tcp . SOA: NOERROR, 1 answer in N ms',
    );
  });

  test('has the right record, or another one', async () => {
    const query = ['--query', 'ok.lab'];
    expect(await probe(...query, '--answer', String.raw`^ok\.lab\. A 192\.0\.2\.99$`)).toBe(
      `0 up: ${S} ok.lab. A: NOERROR, 1 answer in N ms`,
    );
    expect(await probe(...query, '--answer', 'A 198')).toBe(
      `2 down (wrong-answer): ${S} ok.lab. A: NOERROR, 1 answer in N ms, none matches /A 198/u: ok.lab. A 192.0.2.99`,
    );
    expect(await probe('--query', 'ok.lab AAAA')).toBe(
      `2 down (no-answer): ${S} ok.lab. AAAA: NOERROR, 0 answers in N ms, expected at least 1`,
    );
  });

  test('knows that a new name does not exist', async () => {
    expect(await probe('--query', '{nonce}.lab', '--rcode', 'NXDOMAIN')).toBe(
      `0 up: ${S} {nonce}.lab. A: NXDOMAIN, 0 answers in N ms`,
    );
    expect(await probe('--query', '{nonce}.lab')).toBe(
      `2 down (rcode): ${S} {nonce}.lab. A: NXDOMAIN in N ms, expected NOERROR`,
    );
  });

  test('truncates a large answer, which then comes over TCP', async () => {
    expect(await probe('--query', 'big.lab TXT')).toBe(
      `0 up: ${S} big.lab. TXT: NOERROR, 1 answer in N ms (over TCP, since truncated over UDP)`,
    );
    expect(await probe('--query', 'big.lab TXT', '--edns-size', '0')).toMatch(/^0 up: .*over TCP/);
    // Whatever a server's own limit is, one of the two ways leads to the answer.
    expect(await probe('--query', 'big.lab TXT', '--edns-size', '4096')).toMatch(/^0 up: /);
  });

  test('sets the flags it should', async () => {
    expect(await probe('--require-flag', 'ra')).toMatch(/^0 up: /);
    expect(await probe('--require-flag', 'ra,aa')).toBe(
      `2 down (missing-flag): ${S} . SOA: NOERROR, 1 answer in N ms, without the flag AA`,
    );
  });

  test('adds signatures where they are asked for', async () => {
    expect(await probe('--dnssec', '--answer', '^. RRSIG SOA 13 ')).toMatch(/^0 up: /);
    expect(await probe('--answer', '^. RRSIG SOA 13 ')).toMatch(/^2 down \(wrong-answer\): /);
  });

  test('answers new names of an unsigned wildcard for no longer than its origin lives', async () => {
    const names = '{nonce}.probe';
    const answer = ['--query', names, '--answer', 'A 192.0.2.99'];
    expect(await probe(...answer)).toBe(`0 up: ${S} ${names}. A: NOERROR, 1 answer in N ms`);
    origin.freeze();
    try {
      expect(await probe(...answer)).toMatch(/^2 down /);
    } finally {
      origin.thaw();
    }
    await until('the origin', async () => (await probe(...answer)).startsWith('0 up'));
  });

  test('answers each query as that one expects', async () => {
    const right = [
      ...['--query', String.raw`ok.lab A answer=/^ok\.lab\. A 192\.0\.2\.99$/ flag=ra`],
      ...['--query', '{nonce}.lab A rcode=NXDOMAIN', '--query', String.raw`o\107.l\097b`],
    ];
    expect(await probe(...right, '--answer', '192')).toBe(
      '0 up: 3 questions right, the slowest in N ms',
    );
    expect(await probe(...right, '--query', 'ok.lab rcode=NXDOMAIN')).toBe(
      `2 down (rcode): 1 of 4 questions failed: ${S} ok.lab. A: NOERROR in N ms, expected NXDOMAIN`,
    );
    expect(await probe('--query', 'ok.lab A min-answers=2', '--min-answers', '0')).toBe(
      `2 down (no-answer): ${S} ok.lab. A: NOERROR, 1 answer in N ms, expected at least 2`,
    );
  });

  test('tells its version in class CH', async () => {
    const chaos = ['--class', 'CH', '--query'];
    const { version } = resolver;
    if (version === undefined) {
      expect(await probe(...chaos, 'version.bind TXT')).toBe(
        `2 down (rcode): ${S} version.bind. CH TXT: SERVFAIL in N ms, expected NOERROR`,
      );
      return;
    }
    expect(
      await probe(...chaos, `version.bind TXT answer=/^version\\.bind\\. TXT "${version}/`),
    ).toBe(`0 up: ${S} version.bind. CH TXT: NOERROR, 1 answer in N ms`);
    expect(await probe(...chaos, 'version.bind TXT answer=/"djbdns/')).toMatch(
      /^2 down \(wrong-answer\): .* none matches \/"djbdns\/u: version\.bind\. TXT "/,
    );
  });

  test('answers what is bogus when it is told not to check', async () => {
    expect(await probe('--query', 'bogus.lab', '--cd', '--timeout', '10s')).toBe(
      `0 up: ${S} bogus.lab. A: NOERROR, 1 answer in N ms`,
    );
  });

  test('validates and fails what is bogus, or does neither', async () => {
    const ad = await probe('--require-flag', 'ad');
    const bogus = await probe('--query', 'bogus.lab', '--timeout', '10s');
    const servfail = ['--query', 'bogus.lab', '--rcode', 'SERVFAIL', '--timeout', '10s'];
    const expected = await probe(...servfail);
    if (resolver.validates) {
      expect(ad).toBe(`0 up: ${S} . SOA: NOERROR, 1 answer in N ms`);
      expect(await probe('--dnssec', '--require-flag', 'ad')).toMatch(/^0 up: /);
      expect(bogus).toBe(`2 down (rcode): ${S} bogus.lab. A: SERVFAIL in N ms, expected NOERROR`);
      expect(expected).toBe(`0 up: ${S} bogus.lab. A: SERVFAIL, 0 answers in N ms`);
    } else {
      expect(ad).toBe(
        `2 down (missing-flag): ${S} . SOA: NOERROR, 1 answer in N ms, without the flag AD`,
      );
      expect(bogus).toBe(`0 up: ${S} bogus.lab. A: NOERROR, 1 answer in N ms`);
      expect(expected).toBe(
        `2 down (rcode): ${S} bogus.lab. A: NOERROR in N ms, expected SERVFAIL`,
      );
    }
  });

  test('is a timeout while it is frozen, and up again once it is thawed', async () => {
    daemon.freeze();
    const attempt = ['--attempts', '1', '--timeout', '400ms'];
    expect(await probe(...attempt)).toMatch(
      /^2 down \(timeout\): 127\.0\.0\.1:53 \. SOA: no answer within \d{3}ms$/,
    );
    // The kernel still completes handshakes for it.
    expect(await probe(...attempt, '--transport', 'tcp')).toMatch(
      /^2 down \(timeout\): 127\.0\.0\.1:53\/tcp \. SOA: no answer within \d{3}ms$/,
    );
    daemon.thaw();
    expect(await probe('--timeout', '5s')).toMatch(/^0 up: /);
  });

  test('refuses while it is stopped, and is up again once it is started', async () => {
    await daemon.stop();
    expect(await probe()).toBe(`2 down (refused): ${S} . SOA: connection refused`);
    expect(await probe('--transport', 'tcp', '--server', '::1')).toBe(
      '2 down (refused): [::1]:53/tcp . SOA: connection refused',
    );
    await daemon.restart();
    expect(await probe()).toMatch(/^0 up: /);
  });
});

describe('Unbound that serves stale data and says so', () => {
  let folder: string;
  let namespace: Namespace;
  let origin: Daemon;

  beforeAll(async () => {
    folder = createTemporaryFolder();
    namespace = await Namespace.create();
    origin = await startRootServer(namespace, folder);
    await namespace.ip('link add ask0 type veth peer name ask1');
    for (const end of ['ask0', 'ask1']) await namespace.ip(`link set ${end} up`);
    await namespace.ip('address add fe80::53/64 dev ask0 nodad');
    await startResolver(STALE_UNBOUND, namespace, folder);
  });

  afterAll(async () => {
    await namespace.dispose();
    removeTemporaryFolder(folder);
  });

  test('is down with --refuse-stale once its origin is dead and its cache is over', async () => {
    const args = ['--query', 'ok.lab', '--timeout', '5s'];
    const ask = (...more: readonly string[]): ReturnType<typeof run> =>
      run('dns-probe', [...args, ...more], { namespace });
    expect(await ask('--refuse-stale')).toMatchObject({ exitCode: 0, stderr: '' });
    origin.freeze();
    const SAYS_STALE =
      /^down \(stale\): 127\.0\.0\.1:53 ok\.lab\. A: NOERROR, 1 answer in .* ms \(EDE 3 Stale Answer.*\), which is stale\n$/;
    await until('the end of its TTL', async () => (await ask('--refuse-stale')).exitCode === 2, {
      timeoutMs: 20_000,
    });
    expect(await ask('--refuse-stale')).toMatchObject({
      exitCode: 2,
      stdout: expect.stringMatching(SAYS_STALE) as unknown,
      stderr: '',
    });
    const { exitCode, stdout } = await ask();
    expect(stdout).toMatch(/^up: .* ms \(EDE 3 Stale Answer.*\)\n$/);
    expect(exitCode).toBe(0);
    origin.thaw();
  });

  test('answers on a link-local address, of which the interface is named', async () => {
    for (const [server, transport] of [
      ['fe80::53%ask0', 'udp'],
      ['[FE80::53%ask0]:53', 'tcp'],
    ] as const) {
      const args = ['--server', server, '--transport', transport, '--query', 'version.bind TXT'];
      const { exitCode, stdout } = await run('dns-probe', [...args, '--class', 'CH'], {
        namespace,
      });
      expect(stdout).toMatch(
        /^up: \[fe80::53%ask0\]:53(\/tcp)? version\.bind\. CH TXT: NOERROR, 1 /,
      );
      expect(exitCode).toBe(0);
    }
    const missing = ['--server', 'fe80::53%gone0', '--attempts', '1'];
    for (const transport of ['udp', 'tcp']) {
      const args = [...missing, '--transport', transport];
      const { exitCode, stdout } = await run('dns-probe', args, { namespace });
      expect(stdout).toMatch(
        /^unknown \(no-interface\): \[fe80::53%gone0\]:53.*: no such interface \(EINVAL\)\n$/,
      );
      expect(exitCode).toBe(69);
    }
  });
});

describe('without a server of any kind', () => {
  let namespace: Namespace;

  beforeAll(async () => {
    namespace = await Namespace.create();
  });

  afterAll(async () => {
    await namespace.dispose();
  });

  test('a loopback that is down is not the fault of the server', async () => {
    await namespace.ip('link set lo down');
    for (const transport of ['udp', 'tcp']) {
      const args = ['--attempts', '1', '--timeout', '300ms', '--transport', transport];
      const { exitCode, stdout } = await run('dns-probe', args, { namespace });
      expect(stdout).toMatch(
        /^unknown \(no-interface\): .* \. SOA: the loopback interface is down$/m,
      );
      expect(exitCode).toBe(69);
    }
    await namespace.ip('link set lo up');
  });

  test('a loopback that never was up is not either', async () => {
    await namespace.ip('link set lo down');
    await namespace.ip('address flush dev lo');
    const { exitCode, stdout } = await run('dns-probe', ['--attempts', '1'], { namespace });
    expect(stdout).toBe(
      'unknown (no-interface): 127.0.0.1:53 . SOA: no interface leads there (ENETUNREACH)\n',
    );
    expect(exitCode).toBe(69);
    await namespace.ip('link set lo up');
    await namespace.ip('address replace 127.0.0.1/8 dev lo');
  });

  test('a closed port is refused', async () => {
    const { exitCode, stdout } = await run('dns-probe', ['--server', '[::1]:5353'], { namespace });
    expect(stdout).toBe('down (refused): [::1]:5353 . SOA: connection refused\n');
    expect(exitCode).toBe(2);
  });
});

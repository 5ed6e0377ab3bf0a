import { describe, expect, test } from 'vitest';
import { answerTo, framed } from '../../../support/dns-answers.ts';
import { askFake, askServers, isDown, SHORT } from '../../../support/dns-asking.ts';
import { closedPort, FakeDnsServer, onTcpQuery } from '../../../support/fake-dns-server.ts';

describe('several questions', () => {
  const right = {
    onUdp: ({ message, send }: { message: Buffer; send: (datagram: Buffer) => void }) => {
      send(answerTo(message));
    },
  };

  test('all right: one line says how many and how slow', async () => {
    const server = await FakeDnsServer.start(right);
    const { verdict } = await askServers([server.peer, server.peer], {
      queries: ['. SOA', '. SOA'],
    });
    await server.stop();
    expect(verdict).toEqual({
      status: 'up',
      detail: expect.stringMatching(/^4 questions right, the slowest in \d+ ms$/) as unknown,
    });
  });

  test('one wrong: the failing ones are named', async () => {
    const server = await FakeDnsServer.start(right);
    const dead = await closedPort();
    const { verdict } = await askServers([server.peer, dead]);
    await server.stop();
    expect(verdict).toEqual(
      isDown(
        'refused',
        `1 of 2 questions failed: 127.0.0.1:${dead.port} . SOA: connection refused`,
      ),
    );
  });

  test('many wrong: only some are named', async () => {
    const dead = await closedPort();
    const { verdict } = await askServers(Array.from({ length: 30 }, () => dead));
    expect(verdict.detail).toMatch(/^30 of 30 questions failed: .*; and 27 more$/);
    expect(verdict.detail.length).toBeLessThan(300);
  });

  test('--require any: one that answers is enough, and ends the wait for the others', async () => {
    const silent = await FakeDnsServer.start({});
    const server = await FakeDnsServer.start(right);
    const before = performance.now();
    const { verdict } = await askServers([silent.peer, server.peer], {
      require: 'any',
      timeoutMs: 20_000,
    });
    const tookMs = performance.now() - before;
    await Promise.all([silent.stop(), server.stop()]);
    expect(verdict.status).toBe('up');
    expect(verdict.detail).toContain(`127.0.0.1:${server.peer.port} . SOA`);
    expect(tookMs).toBeLessThan(10_000);
  });

  test('--require any: when none answers, the first that is down gives the reason', async () => {
    const dead = await closedPort();
    const silent = await FakeDnsServer.start({});
    const { verdict } = await askServers([silent.peer, dead], { ...SHORT, require: 'any' });
    await silent.stop();
    expect(verdict).toMatchObject({ status: 'down', reason: 'timeout' });
    expect(verdict.detail).toMatch(/^2 of 2 questions failed: .*no answer.*; .*connection refused/);
  });

  test('down outweighs unknown, and unknown outweighs up', async () => {
    // The kernel lets no socket ask everybody that was not allowed to (EACCES, ip(7)).
    const everybody = { address: { family: 4, text: '255.255.255.255' }, port: 53 } as const;
    const server = await FakeDnsServer.start(right);
    const dead = await closedPort();
    const unknownAndUp = await askServers([everybody, server.peer], SHORT);
    const all = await askServers([everybody, server.peer, dead], SHORT);
    await server.stop();
    expect(unknownAndUp.verdict).toEqual({
      status: 'unknown',
      reason: 'permission',
      detail: '1 of 2 questions failed: 255.255.255.255:53 . SOA: not permitted here (EACCES)',
    });
    expect(all.verdict).toMatchObject({ status: 'down', reason: 'refused' });
    expect(all.verdict.detail).toMatch(/^2 of 3 questions failed: 127\.0\.0\.1:/);
  });

  test('both transports have to answer', async () => {
    const { verdict } = await askFake(right, { transport: 'both' });
    expect(verdict).toEqual(
      isDown('refused', '1 of 2 questions failed: PEER/tcp . SOA: connection refused'),
    );
    const both = await askFake(
      {
        ...right,
        onTcp: (connection) => {
          onTcpQuery(connection, (query) => connection.write(framed(answerTo(query))));
        },
      },
      { transport: 'both' },
    );
    expect(both.verdict.detail).toMatch(/^2 questions right/);
  });

  test('no number of questions makes Node warn', async () => {
    const warnings: string[] = [];
    const listener = (warning: Error): void => {
      warnings.push(warning.message);
    };
    process.on('warning', listener);
    const server = await FakeDnsServer.start(right);
    await askServers(
      Array.from({ length: 40 }, () => server.peer),
      { transport: 'udp' },
    );
    await server.stop();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', listener);
    expect(warnings).toEqual([]);
  });
});

import { describe, expect, test } from 'vitest';
import { askOverUdp, type Peer, type UdpOutcome } from '../../../src/lib/probe/udp-exchange.ts';
import { closedPort, FakeDnsServer, type FakeBehaviour } from '../../support/fake-dns-server.ts';

interface Trial {
  readonly accept?: (datagram: Buffer) => string | undefined;
  readonly signal?: AbortSignal;
  readonly peer?: Peer;
}

const patient = (): AbortSignal => AbortSignal.timeout(10_000);

async function ask(behaviour: FakeBehaviour, trial: Trial = {}): Promise<UdpOutcome<string>> {
  const server = await FakeDnsServer.start(behaviour);
  try {
    return await askOverUdp({
      peer: server.peer,
      payload: Buffer.from('question'),
      accept: (datagram) => datagram.toString(),
      signal: patient(),
      ...trial,
    });
  } finally {
    await server.stop();
  }
}

const echo: FakeBehaviour = {
  onUdp: ({ message, send }) => {
    send(message);
  },
};

describe('asking over UDP', () => {
  test('hands over what the peer sends until something is accepted', async () => {
    const seen: string[] = [];
    const outcome = await ask(
      {
        onUdp: ({ send }) => {
          for (const text of ['a', 'b', 'c', 'd']) send(Buffer.from(text));
        },
      },
      {
        accept: (datagram) => {
          seen.push(datagram.toString());
          return seen.length === 3 ? 'third' : undefined;
        },
      },
    );
    expect(outcome).toMatchObject({ kind: 'answered', answer: 'third' });
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  test('takes the time from the question to the answer', async () => {
    const outcome = await ask({
      onUdp: ({ message, send }) => {
        setTimeout(() => {
          send(message);
        }, 100);
      },
    });
    expect(outcome.kind).toBe('answered');
    if (outcome.kind === 'answered') {
      expect(outcome.tookMs).toBeGreaterThanOrEqual(98);
      expect(outcome.tookMs).toBeLessThan(5000);
    }
  });

  test('works over IPv6', async () => {
    const outcome = await askOverUdp({
      peer: { address: { family: 6, text: '::1' }, port: 9 },
      payload: Buffer.from('question'),
      accept: (datagram) => datagram,
      signal: patient(),
    });
    expect(outcome).toMatchObject({ kind: 'failed', error: { code: 'ECONNREFUSED' } });
  });

  test('ends at once when nothing listens', async () => {
    const outcome = await askOverUdp({
      peer: await closedPort(),
      payload: Buffer.from('question'),
      accept: (datagram) => datagram,
      signal: patient(),
    });
    expect(outcome).toMatchObject({ kind: 'failed', error: { code: 'ECONNREFUSED' } });
  });

  test('asks from another port each time', async () => {
    const server = await FakeDnsServer.start(echo);
    const outcomes = Array.from({ length: 8 }, () =>
      askOverUdp({
        peer: server.peer,
        payload: Buffer.from('question'),
        accept: (datagram) => datagram.toString(),
        signal: patient(),
      }),
    );
    for (const outcome of await Promise.all(outcomes)) {
      expect(outcome).toMatchObject({ kind: 'answered', answer: 'question' });
    }
    await server.stop();
    expect(server.received).toHaveLength(8);
    expect(new Set(server.askers).size).toBe(8);
  });

  test('ends with its signal, be it before or during the wait', async () => {
    expect(await ask({}, { signal: AbortSignal.abort() })).toEqual({ kind: 'aborted' });
    expect(await ask({}, { signal: AbortSignal.timeout(50) })).toEqual({ kind: 'aborted' });
  });

  test('hands on what the acceptance throws, because that is a bug', async () => {
    const bug = new TypeError('a bug');
    await expect(
      ask(echo, {
        accept: () => {
          throw bug;
        },
      }),
    ).rejects.toBe(bug);
  });

  test('reports a payload that is too long for a datagram', async () => {
    const outcome = await askOverUdp({
      peer: await closedPort(),
      payload: Buffer.alloc(70_000),
      accept: (datagram) => datagram,
      signal: patient(),
    });
    expect(outcome).toMatchObject({ kind: 'failed', error: { code: 'EMSGSIZE' } });
  });
});

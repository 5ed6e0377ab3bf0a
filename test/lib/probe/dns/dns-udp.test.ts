import { describe, expect, test } from 'vitest';
import { answerTo, FLAG, opt, ROOT_SOA } from '../../../support/dns-answers.ts';
import { askFake, askServers, IS_UP, isDown, SHORT } from '../../../support/dns-asking.ts';
import { closedPort, FakeDnsServer } from '../../../support/fake-dns-server.ts';

describe('over UDP', () => {
  test('a right answer is up', async () => {
    const { verdict } = await askFake({
      onUdp: ({ message, send }) => {
        send(answerTo(message));
      },
    });
    expect(verdict).toEqual(IS_UP);
  });

  test('the query is one question with recursion desired and a random id', async () => {
    const server = await FakeDnsServer.start({
      onUdp: ({ message, send }) => {
        send(answerTo(message));
      },
    });
    for (let time = 0; time < 8; time += 1) await askServers([server.peer]);
    await server.stop();
    const ids = new Set(server.received.map((message) => message.readUInt16BE(0)));
    expect(server.received).toHaveLength(8);
    expect(ids.size).toBeGreaterThan(6);
    for (const message of server.received) expect(message.readUInt16BE(2)).toBe(FLAG.rd);
  });

  test('silence is a timeout that says how long was waited', async () => {
    const { verdict } = await askFake({}, SHORT);
    expect(verdict).toEqual(isDown('timeout', /^PEER \. SOA: no answer within \d{3}ms$/));
  });

  test('an answer after the end of the attempt is too late, and harms nothing', async () => {
    let late: (() => void) | undefined;
    const server = await FakeDnsServer.start({
      onUdp: ({ message, send }) => {
        late = () => {
          send(answerTo(message));
        };
      },
    });
    const { verdict } = await askServers([server.peer], { timeoutMs: 150 });
    expect(late).toBeDefined();
    late?.();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await server.stop();
    expect(verdict).toEqual(isDown('timeout', /no answer within \d{3}ms$/));
  });

  test('a closed port is refused, without waiting', async () => {
    const peer = await closedPort();
    const { verdict } = await askServers([peer]);
    expect(verdict).toEqual(isDown('refused', `127.0.0.1:${peer.port} . SOA: connection refused`));
  });

  test('an attempt that is over before it begins asks nothing', async () => {
    const server = await FakeDnsServer.start({});
    const { verdict } = await askServers([server.peer], { signal: AbortSignal.abort() });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await server.stop();
    expect(verdict).toMatchObject({ status: 'down', reason: 'timeout' });
    expect(server.received).toEqual([]);
  });

  test('of two answers the first counts', async () => {
    const right = await askFake({
      onUdp: ({ message, send }) => {
        send(answerTo(message));
        send(answerTo(message, { rcode: 2, answers: [] }));
      },
    });
    expect(right.verdict).toEqual(IS_UP);
    const wrong = await askFake({
      onUdp: ({ message, send }) => {
        send(answerTo(message, { rcode: 2, answers: [] }));
        send(answerTo(message));
      },
    });
    expect(wrong.verdict).toEqual(
      isDown('rcode', /^PEER \. SOA: SERVFAIL in .* ms, expected NOERROR$/),
    );
  });

  test('the question may come back in other case', async () => {
    const { verdict } = await askFake(
      {
        onUdp: ({ message, send }) => {
          const questions = [{ name: 'WwW.ExAmPlE.NeT', type: 'A' as const }];
          const answers = [{ name: 'www.EXAMPLE.net', type: 'A' as const, data: '192.0.2.7' }];
          send(answerTo(message, { questions, answers }));
        },
      },
      { queries: ['www.example.net'] },
    );
    expect(verdict.status).toBe('up');
  });

  test('a question that is missing from an error is forgiven, from an answer it is not', async () => {
    const forgiven = await askFake({
      onUdp: ({ message, send }) => {
        send(answerTo(message, { rcode: 1, questions: [], answers: [] }));
      },
    });
    expect(forgiven.verdict).toEqual(isDown('rcode', /FORMERR/));
    const refused = await askFake(
      {
        onUdp: ({ message, send }) => {
          send(answerTo(message, { questions: [] }));
        },
      },
      SHORT,
    );
    expect(refused.verdict).toEqual(isDown('malformed', /ignored a wrong question$/));
  });

  test('each question of a nonce has a name of its own', async () => {
    const server = await FakeDnsServer.start({
      onUdp: ({ message, send }) => {
        send(answerTo(message));
      },
    });
    const { verdict, steps } = await askServers([server.peer, server.peer], {
      queries: ['{nonce}.example.net SOA'],
      expected: { minAnswers: 1 },
    });
    await server.stop();
    expect(verdict.status).toBe('up');
    const names = steps.map((step) => /asking for ([0-9a-f]{32})\.example\.net\.$/.exec(step)?.[1]);
    expect(new Set(names).size).toBe(2);
    expect(server.received.map((message) => message.toString('latin1', 13, 45)).sort()).toEqual(
      [...names].sort(),
    );
  });
});

describe('EDNS', () => {
  test('the upper bits of the response code count', async () => {
    const { verdict } = await askFake({
      onUdp: ({ message, send }) => {
        send(answerTo(message, { answers: [], additionals: [opt(1)] }));
      },
    });
    expect(verdict).toEqual(isDown('rcode', /BADVERS in .* ms, expected NOERROR$/));
  });

  test('without it, 512 bytes are allowed', async () => {
    const { verdict } = await askFake(
      {
        onUdp: ({ message, send }) => {
          send(Buffer.concat([answerTo(message), Buffer.alloc(513 - answerTo(message).length)]));
        },
      },
      { ...SHORT, style: { ednsSizeBytes: 0 } },
    );
    expect(verdict).toEqual(isDown('malformed', /ignored 513 bytes where 512 were allowed$/));
  });
});

test('records that are not of the asked type do not count as its answer', async () => {
  const { verdict } = await askFake(
    {
      onUdp: ({ message, send }) => {
        const answers = [{ name: 'www.example.net', type: 'CNAME', data: 'gone.test' } as const];
        send(answerTo(message, { answers: [...answers, ROOT_SOA] }));
      },
    },
    { queries: ['www.example.net A'] },
  );
  expect(verdict).toEqual(isDown('no-answer', /NOERROR, 0 answers in .* ms, expected at least 1$/));
});

import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { DownReason } from '../../../../src/lib/probe/probe.ts';
import { answerTo, FLAG, framed, PLAIN_FLAGS } from '../../../support/dns-answers.ts';
import { askFake, SHORT, type Asking } from '../../../support/dns-asking.ts';
import { onTcpQuery, type FakeBehaviour } from '../../../support/fake-dns-server.ts';

type OnTcp = (connection: Socket) => void;

const answersRight: OnTcp = (connection) => {
  onTcpQuery(connection, (query) => connection.write(framed(answerTo(query))));
};
const hangs: OnTcp = () => {
  // Accepts, and says nothing.
};
const closesAtOnce: OnTcp = (connection) => {
  onTcpQuery(connection, () => connection.end());
};
const closesMidway: OnTcp = (connection) => {
  onTcpQuery(connection, (query) => connection.end(framed(answerTo(query)).subarray(0, 20)));
};
const resets: OnTcp = (connection) => {
  onTcpQuery(connection, () => connection.resetAndDestroy());
};
const truncatesToo: OnTcp = (connection) => {
  onTcpQuery(connection, (query) => {
    connection.write(framed(answerTo(query, { flags: PLAIN_FLAGS | FLAG.tc, answers: [] })));
  });
};
const sendsWrongId: OnTcp = (connection) => {
  onTcpQuery(connection, (query) => {
    connection.write(framed(answerTo(query, { id: query.readUInt16BE(0) ^ 1 })));
  });
};
const sendsGarbage: OnTcp = (connection) => {
  onTcpQuery(connection, () => connection.write(framed(Buffer.alloc(5, 0xa5))));
};
const promisesMore: OnTcp = (connection) => {
  onTcpQuery(connection, (query) => {
    connection.write(Buffer.concat([Buffer.from([0xff, 0xff]), answerTo(query)]));
  });
};
const floods: OnTcp = (connection) => {
  onTcpQuery(connection, () => {
    const pour = (): void => {
      while (!connection.destroyed && connection.write(framed(Buffer.alloc(30_000))));
    };
    connection.on('drain', pour);
    pour();
  });
};

function overTcp(onTcp: OnTcp | undefined, asking: Asking): Promise<string> {
  return judge(onTcp === undefined ? {} : { onTcp }, { transport: 'tcp', ...asking });
}

function afterTruncation(onTcp: OnTcp | undefined, asking: Asking): Promise<string> {
  const onUdp: FakeBehaviour['onUdp'] = ({ message, send }) => {
    // Cut in the middle of a record, as real servers may cut it.
    const whole = answerTo(message, { flags: PLAIN_FLAGS | FLAG.tc });
    send(whole.subarray(0, whole.length - 10));
  };
  return judge(onTcp === undefined ? { onUdp } : { onUdp, onTcp }, asking);
}

/** Verdict, reason and detail on one line, with N for numbers that vary. */
async function judge(behaviour: FakeBehaviour, asking: Asking): Promise<string> {
  const { verdict } = await askFake(behaviour, asking);
  const reason = verdict.status === 'up' ? '' : ` (${verdict.reason})`;
  const detail = verdict.detail.replace(/(under )?\d+( ?)ms/, 'N$2ms');
  return `${verdict.status}${reason}: ${detail}`;
}

const cases: readonly (readonly [
  what: string,
  onTcp: OnTcp | undefined,
  reason: DownReason,
  detail: string,
  asking: Asking,
])[] = [
  ['refused', undefined, 'refused', 'connection refused', {}],
  ['silent', hangs, 'timeout', 'no answer within Nms', SHORT],
  ['closed at once', closesAtOnce, 'reset', 'connection closed after 0 bytes', {}],
  ['closed midway', closesMidway, 'reset', 'connection closed after 20 bytes', {}],
  ['reset', resets, 'reset', 'connection reset', {}],
  [
    'answering another id',
    sendsWrongId,
    'timeout',
    'no answer within Nms, ignored a wrong id',
    SHORT,
  ],
  [
    'sending garbage',
    sendsGarbage,
    'malformed',
    'no answer within Nms, ignored 5 bytes, too few for DNS',
    SHORT,
  ],
  ['promising more than it sends', promisesMore, 'timeout', 'no answer within Nms', SHORT],
];

describe('a server over TCP that is', () => {
  test('right: up', async () => {
    expect(await overTcp(answersRight, {})).toBe('up: PEER/tcp . SOA: NOERROR, 1 answer in N ms');
  });

  test.each(cases)('%s', async (_what, onTcp, reason, detail, asking) => {
    expect(await overTcp(onTcp, asking)).toBe(`down (${reason}): PEER/tcp . SOA: ${detail}`);
  });

  test('truncating', async () => {
    expect(await overTcp(truncatesToo, {})).toBe(
      'down (truncated): PEER/tcp . SOA: truncated, even over TCP',
    );
  });

  test('flooding: ended by what it sent, not by the time', async () => {
    expect(await overTcp(floods, {})).toMatch(
      /^down \(malformed\): PEER\/tcp \. SOA: \d+ bytes without an answer$/,
    );
  });

  test('sending byte by byte: up', async () => {
    const dribbles: OnTcp = (connection) => {
      onTcpQuery(connection, (query) => {
        const bytes = [...framed(answerTo(query))];
        const next = (): void => {
          const byte = bytes.shift();
          if (byte === undefined) return;
          connection.write(Buffer.from([byte]));
          setImmediate(next);
        };
        next();
      });
    };
    expect(await overTcp(dribbles, {})).toMatch(/^up: /);
  });

  test('sending an empty message and one with a wrong id before the answer, in one segment: up', async () => {
    const mixes: OnTcp = (connection) => {
      onTcpQuery(connection, (query) => {
        const wrong = answerTo(query, { id: query.readUInt16BE(0) ^ 1 });
        const messages = [Buffer.alloc(0), wrong, answerTo(query)];
        connection.write(Buffer.concat(messages.map(framed)));
      });
    };
    expect(await overTcp(mixes, {})).toMatch(/^up: /);
  });

  test('sending as much as fits a message: up', async () => {
    const large: OnTcp = (connection) => {
      onTcpQuery(connection, (query) => {
        const text = Array.from({ length: 250 }, () => Buffer.alloc(255, 'x'));
        const answers = [{ name: '.', type: 'TXT', data: text } as const];
        connection.write(framed(answerTo(query, { answers })));
      });
    };
    expect(await overTcp(large, { queries: ['. TXT'] })).toMatch(/^up: /);
  });
});

describe('an answer truncated over UDP is asked for over TCP, which is', () => {
  const remark = '(over TCP, since truncated over UDP)';

  test('right: up', async () => {
    expect(await afterTruncation(answersRight, {})).toBe(
      `up: PEER . SOA: NOERROR, 1 answer in N ms ${remark}`,
    );
  });

  test.each(cases)('%s: truncated, saying why', async (_what, onTcp, _reason, detail, asking) => {
    expect(await afterTruncation(onTcp, asking)).toBe(
      `down (truncated): PEER . SOA: ${detail} ${remark}`,
    );
  });

  test('truncated too', async () => {
    expect(await afterTruncation(truncatesToo, {})).toBe(
      'down (truncated): PEER . SOA: truncated, even over TCP',
    );
  });

  test('another response code: that is the reason', async () => {
    const fails: OnTcp = (connection) => {
      onTcpQuery(connection, (query) => {
        connection.write(framed(answerTo(query, { rcode: 2, answers: [] })));
      });
    };
    expect(await afterTruncation(fails, {})).toBe(
      `down (rcode): PEER . SOA: SERVFAIL in N ms ${remark}, expected NOERROR`,
    );
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  authenticAnswer,
  expectedCodes,
  judgeAnswer,
  type Expectation,
} from '../../../../src/lib/probe/radius/radius-answer.ts';
import {
  radiusRequest,
  type RadiusRequest,
} from '../../../../src/lib/probe/radius/radius-request.ts';
import { answerTo, attribute, seal } from '../../../support/fake-radius-server.ts';

const SECRET = Buffer.from('xyzzy5461');
const ACCEPT: Expectation = { codes: [2], messageAuthenticator: false };
const REQUEST = radiusRequest({ mode: 'status' }, SECRET, 'anycast-ha');

function answer(fields: Partial<Parameters<typeof answerTo>[1]> = {}): Buffer {
  return answerTo(REQUEST.packet, { code: 2, secret: 'xyzzy5461', ...fields });
}

function judge(packet: Buffer, expectation = ACCEPT): unknown {
  const { status, ...rest } = judgeAnswer(packet, REQUEST, SECRET, expectation, 'it');
  return status === 'up' ? status : 'reason' in rest ? rest.reason : undefined;
}

describe('an answer is told from a stranger’s datagram', () => {
  test('the Access-Accept of RFC 2865 section 7.1 is authentic', () => {
    const request: RadiusRequest = {
      packet: Buffer.alloc(20),
      identifier: 0,
      authenticator: Buffer.from('0f403f9473978057bd83d5cb98f4227a', 'hex'),
    };
    const packet = Buffer.from(
      '0200002686fe220e7624ba2a1005f6bf9b55e0b20606000000010f06000000000e06c0a80103',
      'hex',
    );
    expect(authenticAnswer(packet, request, SECRET)).toEqual(packet);
    expect(authenticAnswer(packet, request, Buffer.from('xyzzy5462'))).toBe(
      'a wrong authenticator',
    );
  });

  test('padding behind the packet is dropped', () => {
    const padded = Buffer.concat([answer(), Buffer.from('padding')]);
    expect(authenticAnswer(padded, REQUEST, SECRET)).toEqual(answer());
  });

  test('no bit of it can be another one', () => {
    const right = answer({ attributes: attribute(18, 'hello') });
    for (let bit = 0; bit < right.length * 8; bit++) {
      const wrong = Buffer.from(right);
      wrong[bit >> 3] = (wrong[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(authenticAnswer(wrong, REQUEST, SECRET)).toBeTypeOf('string');
    }
  });

  test('a cut packet is no answer, wherever it is cut', () => {
    const right = answer();
    for (let length = 0; length < right.length; length++) {
      expect(authenticAnswer(right.subarray(0, length), REQUEST, SECRET)).toBeTypeOf('string');
    }
  });

  test('a packet above 4096 bytes is no answer, even a sealed one', () => {
    const long = Buffer.alloc(4097);
    answer().copy(long);
    long.writeUInt16BE(4097, 2);
    seal(long, REQUEST.packet, 'xyzzy5461');
    expect(authenticAnswer(long, REQUEST, SECRET)).toBe('a length above 4096');
  });

  test('another identifier is no answer, even a sealed one', () => {
    const other = answer();
    other.writeUInt8((REQUEST.identifier + 1) & 255, 1);
    seal(other, REQUEST.packet, 'xyzzy5461');
    expect(authenticAnswer(other, REQUEST, SECRET)).toBe('another identifier');
  });

  test('the request itself, sent back, is no answer', () => {
    expect(authenticAnswer(REQUEST.packet, REQUEST, SECRET)).toBe('a wrong authenticator');
  });

  test('random bytes never are one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4200 }), (bytes) => {
        expect(authenticAnswer(Buffer.from(bytes), REQUEST, SECRET)).toBeTypeOf('string');
      }),
    );
  });
});

describe('an authentic answer is judged', () => {
  test.each([
    ['expected', 2, 'up'],
    ['Access-Reject', 3, 'rejected'],
    ['Access-Challenge', 11, 'rejected'],
    ['unheard of', 200, 'rejected'],
  ])('by its code: %s', (_, code, verdict) => {
    expect(judge(answer({ code }))).toBe(verdict);
  });

  test.each([
    ['right', false, 'up'],
    ['right', true, 'up'],
    ['absent', false, 'up'],
    ['absent', true, 'unauthenticated'],
    ['wrong', false, 'unauthenticated'],
    ['wrong', true, 'unauthenticated'],
  ] as const)(
    'by its Message-Authenticator: %s, demanded: %s',
    (messageAuthenticator, demanded, verdict) => {
      const expectation = { codes: [2], messageAuthenticator: demanded };
      expect(judge(answer({ messageAuthenticator }), expectation)).toBe(verdict);
    },
  );

  test('the Message-Authenticator may stand behind other attributes', () => {
    const before = attribute(33, 'proxy state');
    const demanded = { codes: [2], messageAuthenticator: true };
    expect(judge(answer({ before }), demanded)).toBe('up');
    expect(judge(answer({ before, messageAuthenticator: 'wrong' }))).toBe('unauthenticated');
  });

  test.each([
    ['two of them', attribute(80, Buffer.alloc(16))],
    ['one too short', attribute(80, Buffer.alloc(15))],
  ])('a malformed Message-Authenticator is a wrong one: %s', (_, attributes) => {
    expect(judge(answer({ attributes }))).toBe('unauthenticated');
  });

  test.each([
    ['an attribute of length 0', Buffer.from([18, 0])],
    ['an attribute of length 1', Buffer.from([18, 1])],
    ['an attribute that runs past the end', Buffer.from([18, 9, 65])],
    ['half an attribute header', Buffer.from([18])],
  ])('as malformed: %s', (_, attributes) => {
    expect(judge(answer({ attributes }))).toBe('malformed');
  });

  test('any attributes at all are judged without an exception', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const packet = answer({
          messageAuthenticator: 'absent',
          attributes: Buffer.from(bytes),
        });
        expect(['up', 'malformed', 'unauthenticated']).toContain(judge(packet));
      }),
    );
  });

  test('the server’s words are shown on one line, without control characters, and bounded', () => {
    const attributes = Buffer.concat([
      attribute(18, 'no\n\u001b[2J entry '),
      attribute(18, 'x'.repeat(200)),
    ]);
    const { detail } = judgeAnswer(answer({ code: 3, attributes }), REQUEST, SECRET, ACCEPT, 'it');
    expect(detail).toBe(
      `it: Access-Reject "no [2J entry ${'x'.repeat(67)}…", expected Access-Accept`,
    );
  });
});

test.each([
  ['status', 'accept', [2, 5]],
  ['accounting', 'accept', [5]],
  ['auth', 'accept', [2]],
  ['auth', 'reject', [3]],
  ['auth', 'any', [2, 3, 11]],
] as const)('mode %s, expecting %s, takes the codes %j', (mode, expected, codes) => {
  expect(expectedCodes(mode, expected)).toEqual(codes);
});

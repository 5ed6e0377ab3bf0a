import { createHash, createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  radiusRequest,
  type RadiusQuestion,
} from '../../../../src/lib/probe/radius/radius-request.ts';
import { readAttributes } from '../../../../src/lib/probe/radius/radius-wire.ts';

const SECRET = Buffer.from('xyzzy5461');

function make(question: RadiusQuestion, nas = 'anycast-ha'): Buffer {
  return radiusRequest(question, SECRET, nas).packet;
}

function attributeOf(packet: Buffer, type: number): Buffer | undefined {
  return readAttributes(packet)?.find((attribute) => attribute.type === type)?.value;
}

/** RFC 2865 section 5.2, the other way round. */
function decrypt(packet: Buffer): string {
  const hidden = attributeOf(packet, 2) ?? Buffer.alloc(0);
  const clear = Buffer.alloc(hidden.length);
  let previous = packet.subarray(4, 20);
  for (let at = 0; at < hidden.length; at += 16) {
    const pad = createHash('md5').update(SECRET).update(previous).digest();
    for (let i = 0; i < 16; i++) clear[at + i] = (hidden[at + i] ?? 0) ^ (pad[i] ?? 0);
    previous = hidden.subarray(at, at + 16);
  }
  return clear.toString('utf8').replace(/\0+$/, '');
}

const SIGNED: readonly (readonly [RadiusQuestion, number])[] = [
  [{ mode: 'status' }, 12],
  [{ mode: 'auth', user: 'nemo', password: 'arctangent', auth: 'pap' }, 1],
];

describe.each(SIGNED)('a %o request', (question, code) => {
  test('has its code and its own length', () => {
    const packet = make(question);
    expect(packet.readUInt8(0)).toBe(code);
    expect(packet.readUInt16BE(2)).toBe(packet.length);
  });

  test('begins with a Message-Authenticator that is right', () => {
    const packet = make(question);
    expect([...packet.subarray(20, 22)]).toEqual([80, 18]);
    const zeroed = Buffer.from(packet).fill(0, 22, 38);
    expect(packet.subarray(22, 38)).toEqual(createHmac('md5', SECRET).update(zeroed).digest());
  });

  test('names the NAS', () => {
    expect(attributeOf(make(question, 'ns1'), 32)?.toString()).toBe('ns1');
  });
});

test('each request has an authenticator of its own', () => {
  const seen = new Set<string>();
  for (let i = 0; i < 50; i++) {
    const { packet, authenticator } = radiusRequest({ mode: 'status' }, SECRET, 'x');
    expect(packet.subarray(4, 20)).toEqual(authenticator);
    seen.add(authenticator.toString('hex'));
  }
  expect(seen.size).toBe(50);
});

test('the password is hidden as RFC 2865 says, whatever its length', () => {
  const passwords = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 128 })
    .filter((text) => Buffer.byteLength(text) <= 128 && !text.includes('\0'));
  fc.assert(
    fc.property(passwords, (password) => {
      const packet = make({ mode: 'auth', user: 'nemo', password, auth: 'pap' });
      expect(decrypt(packet)).toBe(password);
      expect((attributeOf(packet, 2)?.length ?? 1) % 16).toBe(0);
    }),
  );
});

describe('an accounting request', () => {
  test('is authenticated as a whole', () => {
    const packet = make({ mode: 'accounting', user: undefined });
    const zeroed = Buffer.from(packet).fill(0, 4, 20);
    const checksum = createHash('md5').update(zeroed).update(SECRET).digest();
    expect(packet.readUInt8(0)).toBe(4);
    expect(packet.subarray(4, 20)).toEqual(checksum);
  });

  test('stops one and the same session of no length', () => {
    const packet = make({ mode: 'accounting', user: undefined });
    expect(attributeOf(packet, 40)).toEqual(Buffer.from([0, 0, 0, 2]));
    expect(attributeOf(packet, 44)?.toString()).toBe('anycast-ha');
    expect(attributeOf(packet, 46)).toEqual(Buffer.alloc(4));
    expect(attributeOf(packet, 1)).toBeUndefined();
  });

  test('names the user where there is one', () => {
    const packet = make({ mode: 'accounting', user: 'nemo' });
    expect(attributeOf(packet, 1)?.toString()).toBe('nemo');
  });
});

test('CHAP answers a challenge of its own, as RFC 2865 says', () => {
  const question = { mode: 'auth', user: 'nemo', password: 'arctangent', auth: 'chap' } as const;
  const [first, second] = [make(question), make(question)];
  const chap = attributeOf(first, 3) ?? Buffer.alloc(0);
  const challenge = attributeOf(first, 60) ?? Buffer.alloc(0);
  const hash = createHash('md5').update(chap.subarray(0, 1)).update('arctangent');
  expect(chap.subarray(1)).toEqual(hash.update(challenge).digest());
  expect(challenge).toHaveLength(16);
  expect(attributeOf(second, 60)).not.toEqual(challenge);
  expect(attributeOf(first, 2)).toBeUndefined();
});

test('further attributes come behind ours, in their order', () => {
  const given = [
    ['NAS-Port-Type', Buffer.from([0, 0, 0, 15])],
    ['Calling-Station-Id', Buffer.from('a')],
    ['Calling-Station-Id', Buffer.from('b')],
  ] as const;
  for (const mode of ['status', 'accounting'] as const) {
    const question: RadiusQuestion = mode === 'status' ? { mode } : { mode, user: undefined };
    const { packet } = radiusRequest(question, SECRET, 'x', given);
    const types = readAttributes(packet)?.map(({ type }) => type) ?? [];
    expect(types.slice(-3)).toEqual([61, 31, 31]);
    expect(attributeOf(packet, 31)?.toString()).toBe('a');
  }
});

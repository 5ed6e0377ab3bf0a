import { createHash } from 'node:crypto';
import radius from 'radius';
import { randomBytes } from '../../system/random.ts';
import type { GivenAttribute } from './radius-attribute.ts';
import { AUTHENTICATOR_START, AUTHENTICATOR_END, HEADER_LENGTH } from './radius-wire.ts';

/** The question, by what it asks of the server. */
export type RadiusQuestion =
  | { readonly mode: 'status' }
  | {
      readonly mode: 'auth';
      readonly user: string;
      readonly password: string;
      /** How the password is sent: hidden, or as the answer to a challenge of our own. */
      readonly auth: 'pap' | 'chap';
    }
  | { readonly mode: 'accounting'; readonly user: string | undefined };

export interface RadiusRequest {
  readonly packet: Buffer;
  /** The request authenticator in it, 16 bytes: answers are bound to it. */
  readonly authenticator: Buffer;
  readonly identifier: number;
}

type Attribute = readonly [name: string, value: string | number | Buffer];

/** A Message-Authenticator (RFC 3579 section 3.2) before it is computed. */
const EMPTY_MESSAGE_AUTHENTICATOR: Attribute = ['Message-Authenticator', Buffer.alloc(16)];

/** Where it lies as the first attribute: behind the header, its own type and its length. */
const MESSAGE_AUTHENTICATOR_START = HEADER_LENGTH + 2;

/**
 * One session for all probes of a NAS, which is stopped as it began: an accounting database then
 * holds one closed record of it and not one per probe.
 */
const ACCOUNTING_SESSION = 'anycast-ha';

/**
 * Makes a request with a fresh identifier and a fresh authenticator.
 *
 * Status-Server (RFC 5997) and Access-Request (RFC 2865) carry a Message-Authenticator as
 * their first attribute, where a forger's chosen prefix has no room before it (CVE-2024-3596).
 * Accounting-Request (RFC 2866) is authenticated as a whole already.
 *
 * @param secret shared with the server
 * @param nasIdentifier what the server knows us as, 1 to 253 bytes
 * @param given further attributes
 */
export function radiusRequest(
  question: RadiusQuestion,
  secret: Buffer,
  nasIdentifier: string,
  given: readonly GivenAttribute[] = [],
): RadiusRequest {
  const random = Buffer.from(randomBytes(17));
  const identifier = random.readUInt8(16);
  const attributes = [...attributesOf(question, nasIdentifier), ...given];

  if (question.mode === 'accounting') {
    const packet = radius.encode({
      code: 'Accounting-Request',
      secret,
      identifier,
      add_message_authenticator: false,
      attributes,
    });
    return { packet, identifier, authenticator: authenticatorOf(packet) };
  }

  const packet = radius.encode({
    code: question.mode === 'status' ? 'Status-Server' : 'Access-Request',
    secret,
    identifier,
    authenticator: random.subarray(0, 16),
    // The package would put it last: it is put in by us, first.
    add_message_authenticator: false,
    attributes: [EMPTY_MESSAGE_AUTHENTICATOR, ...attributes],
  });
  const signature = radius.calculate_message_authenticator(packet, secret);
  signature.copy(packet, MESSAGE_AUTHENTICATOR_START);
  return { packet, identifier, authenticator: authenticatorOf(packet) };
}

function attributesOf(question: RadiusQuestion, nasIdentifier: string): readonly Attribute[] {
  const nas: Attribute = ['NAS-Identifier', nasIdentifier];
  switch (question.mode) {
    case 'status':
      return [nas];
    case 'auth':
      return [nas, ['User-Name', question.user], ...passwordOf(question)];
    case 'accounting':
      return [
        nas,
        ['Acct-Status-Type', 'Stop'],
        ['Acct-Session-Id', ACCOUNTING_SESSION],
        ['Acct-Session-Time', 0],
        ...(question.user === undefined ? [] : [['User-Name', question.user] as const]),
      ];
  }
}

function passwordOf({
  auth,
  password,
}: Extract<RadiusQuestion, { mode: 'auth' }>): readonly Attribute[] {
  if (auth === 'pap') return [['User-Password', password]];
  // RFC 2865 sections 5.3 and 5.40: MD5 of identifier, password and challenge.
  const random = Buffer.from(randomBytes(17));
  const [identifier, challenge] = [random.subarray(16), random.subarray(0, 16)];
  const response = createHash('md5').update(identifier).update(password).update(challenge).digest();
  return [
    ['CHAP-Password', Buffer.concat([identifier, response])],
    ['CHAP-Challenge', challenge],
  ];
}

function authenticatorOf(packet: Buffer): Buffer {
  return Buffer.from(packet.subarray(AUTHENTICATOR_START, AUTHENTICATOR_END));
}

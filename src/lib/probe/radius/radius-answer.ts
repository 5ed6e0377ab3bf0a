import radius from 'radius';
import { printable } from '../printable.ts';
import { down, up, type Verdict } from '../probe.ts';
import type { RadiusRequest } from './radius-request.ts';
import {
  AttributeType,
  AUTHENTICATOR_END,
  AUTHENTICATOR_START,
  codeName,
  HEADER_LENGTH,
  LONGEST_PACKET,
  PacketCode,
  readAttributes,
  type Attribute,
} from './radius-wire.ts';

const MAX_REPLY_LENGTH = 80;

/** What the answer has to be. */
export interface Expectation {
  /** The packet codes that are right. */
  readonly codes: readonly number[];
  /** Whether an answer without Message-Authenticator is refused. */
  readonly messageAuthenticator: boolean;
}

/** Why a datagram is not the server's answer to this request. */
export type Stranger =
  | 'a length below a header'
  | 'a length above 4096'
  | 'a length other than its own'
  | 'another identifier'
  | 'a wrong authenticator';

/** The packet codes that are right for a question (RFC 2865, RFC 2866, RFC 5997 section 2). */
export function expectedCodes(
  mode: 'status' | 'auth' | 'accounting',
  expect: 'accept' | 'reject' | 'any',
): readonly number[] {
  const { accessAccept, accessReject, accessChallenge, accountingResponse } = PacketCode;
  switch (mode) {
    case 'status': // an accounting port answers with its own code
      return [accessAccept, accountingResponse];
    case 'accounting':
      return [accountingResponse];
    case 'auth':
      if (expect === 'accept') return [accessAccept];
      if (expect === 'reject') return [accessReject];
      return [accessAccept, accessReject, accessChallenge];
  }
}

/**
 * Tells the server's answer to this request from everything else that may arrive: only who knows
 * the secret and has seen the request can make the response authenticator (RFC 2865 section 3).
 *
 * @returns the packet without padding, or why it is not the answer
 */
export function authenticAnswer(
  datagram: Buffer,
  request: RadiusRequest,
  secret: Buffer,
): Buffer | Stranger {
  if (datagram.length < HEADER_LENGTH) return 'a length below a header';
  const length = datagram.readUInt16BE(2);
  if (length > LONGEST_PACKET) return 'a length above 4096';
  // A shorter datagram was cut on its way; what follows the packet is padding (RFC 2865 section 3).
  if (length < HEADER_LENGTH) return 'a length below a header';
  if (length > datagram.length) return 'a length other than its own';
  if (datagram[1] !== request.identifier) return 'another identifier';

  const packet = datagram.subarray(0, length);
  const checksum = radius.calculate_packet_checksum(withRequestOf(packet, request), secret);
  const authenticator = packet.subarray(AUTHENTICATOR_START, AUTHENTICATOR_END);
  return checksum.equals(authenticator) ? packet : 'a wrong authenticator';
}

/**
 * Judges an answer whose response authenticator is right.
 *
 * @param packet as authenticAnswer returns it
 * @param target what was asked, to begin the detail with
 */
export function judgeAnswer(
  packet: Buffer,
  request: RadiusRequest,
  secret: Buffer,
  expectation: Expectation,
  target: string,
): Verdict {
  const attributes = readAttributes(packet);
  if (attributes === undefined) {
    return down('malformed', `${target}: an attribute runs past the end of the answer`);
  }
  const signature = checkSignature(packet, attributes, request, secret);
  if (signature === 'wrong') {
    return down('unauthenticated', `${target}: the answer's Message-Authenticator is wrong`);
  }
  if (signature === 'absent' && expectation.messageAuthenticator) {
    return down(
      'unauthenticated',
      `${target}: the answer has no Message-Authenticator (CVE-2024-3596: update the server, or see --require-message-authenticator)`,
    );
  }
  const code = packet[0] ?? 0;
  const answer = `${target}: ${codeName(code)}${replyMessage(attributes)}`;
  if (!expectation.codes.includes(code)) {
    const wanted = expectation.codes.map(codeName).join(' or ');
    return down('rejected', `${answer}, expected ${wanted}`);
  }
  return up(answer);
}

/** RFC 3579 section 3.2: HMAC over the answer with the request's authenticator and itself zero. */
function checkSignature(
  packet: Buffer,
  attributes: readonly Attribute[],
  request: RadiusRequest,
  secret: Buffer,
): 'absent' | 'right' | 'wrong' {
  const found = attributes.filter(({ type }) => type === AttributeType.messageAuthenticator);
  const [attribute] = found;
  if (attribute === undefined) return 'absent';
  if (found.length > 1 || attribute.value.length !== 16) return 'wrong';
  const signed = withRequestOf(packet, request).fill(0, attribute.start, attribute.start + 16);
  const signature = radius.calculate_message_authenticator(signed, secret);
  return signature.equals(attribute.value) ? 'right' : 'wrong';
}

/** A copy of the answer with the request's authenticator in place of its own. */
function withRequestOf(packet: Buffer, request: RadiusRequest): Buffer {
  const copy = Buffer.from(packet);
  request.authenticator.copy(copy, AUTHENTICATOR_START);
  return copy;
}

/** The server's words for people, if any (RFC 2865 section 5.18); a stranger's text for us. */
function replyMessage(attributes: readonly Attribute[]): string {
  const text = attributes
    .filter(({ type }) => type === AttributeType.replyMessage)
    .map(({ value }) => value.toString('utf8'))
    .join('');
  const shown = printable(text, MAX_REPLY_LENGTH);
  return shown === '' ? '' : ` "${shown}"`;
}

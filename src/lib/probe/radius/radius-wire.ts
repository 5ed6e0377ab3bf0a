/** RADIUS on the wire: https://www.iana.org/assignments/radius-types and RFC 2865 section 3. */

/** Packet codes that an answer may have; others are named by their number. */
export const PacketCode = {
  accessAccept: 2,
  accessReject: 3,
  accountingResponse: 5,
  accessChallenge: 11,
} as const;

export const AttributeType = {
  replyMessage: 18,
  messageAuthenticator: 80,
} as const;

/** Code, identifier, length and authenticator. */
export const HEADER_LENGTH = 20;
export const AUTHENTICATOR_START = 4;
export const AUTHENTICATOR_END = 20;
/** RFC 2865 section 3: longer packets are not RADIUS. */
export const LONGEST_PACKET = 4096;

/** The name of an answer's code, as the RFCs write it. */
export function codeName(code: number): string {
  switch (code) {
    case PacketCode.accessAccept:
      return 'Access-Accept';
    case PacketCode.accessReject:
      return 'Access-Reject';
    case PacketCode.accountingResponse:
      return 'Accounting-Response';
    case PacketCode.accessChallenge:
      return 'Access-Challenge';
    case 52: // RFC 7930
      return 'Protocol-Error';
    default:
      return `code ${code}`;
  }
}

export interface Attribute {
  readonly type: number;
  readonly value: Buffer;
  /** Where the value begins in the packet. */
  readonly start: number;
}

/**
 * Takes the attributes of a packet apart (RFC 2865 section 5). The package's own decoder would
 * take an attribute that runs past the end of the packet for a shorter one.
 *
 * @param packet of exactly the length that its header says, at least a header
 * @returns the attributes in order, or undefined where a length does not fit
 */
export function readAttributes(packet: Buffer): readonly Attribute[] | undefined {
  const attributes: Attribute[] = [];
  for (let at = HEADER_LENGTH; at < packet.length;) {
    const type = packet[at];
    const length = packet[at + 1];
    if (type === undefined || length === undefined) return undefined;
    if (length < 2 || at + length > packet.length) return undefined;
    attributes.push({ type, value: packet.subarray(at + 2, at + length), start: at + 2 });
    at += length;
  }
  return attributes;
}

import { createHash, createHmac } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Endpoint } from '../../src/lib/options/value-parsers.ts';

/** An answer as its maker wants it: right unless told otherwise. Independent of the sources. */
export interface FakeAnswer {
  readonly code: number;
  readonly secret: string;
  /** Encoded attributes, type and length included: behind the Message-Authenticator … */
  readonly attributes?: Buffer;
  /** … and before it. */
  readonly before?: Buffer;
  readonly messageAuthenticator?: 'right' | 'wrong' | 'absent';
}

/** Encodes one attribute (RFC 2865 section 5). */
export function attribute(type: number, value: Buffer | string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([type, bytes.length + 2]), bytes]);
}

/** Makes the answer to a request (RFC 2865 section 3, RFC 3579 section 3.2). */
export function answerTo(request: Buffer, answer: FakeAnswer): Buffer {
  const { code, secret, messageAuthenticator = 'right' } = answer;
  const before = answer.before ?? Buffer.alloc(0);
  const signature = attribute(80, Buffer.alloc(16));
  const body = Buffer.concat([
    before,
    messageAuthenticator === 'absent' ? Buffer.alloc(0) : signature,
    answer.attributes ?? Buffer.alloc(0),
  ]);
  const packet = Buffer.concat([Buffer.alloc(20), body]);
  packet.writeUInt8(code, 0);
  packet.writeUInt8(request.readUInt8(1), 1);
  packet.writeUInt16BE(packet.length, 2);
  request.copy(packet, 4, 4, 20);
  if (messageAuthenticator !== 'absent') {
    const start = 22 + before.length;
    createHmac('md5', secret).update(packet).digest().copy(packet, start);
    if (messageAuthenticator === 'wrong') packet.writeUInt8(packet.readUInt8(start) ^ 1, start);
  }
  return seal(packet, request, secret);
}

/** Puts the response authenticator in, over whatever the packet says. */
export function seal(packet: Buffer, request: Buffer, secret: string): Buffer {
  request.copy(packet, 4, 4, 20);
  createHash('md5').update(packet).update(secret).digest().copy(packet, 4);
  return packet;
}

/** A server that answers each request with what the test makes of it, in order. */
export class FakeRadiusServer {
  readonly endpoint: Endpoint;
  /** What came in, and from which port. */
  readonly requests: { readonly packet: Buffer; readonly port: number }[] = [];
  readonly #socket: Socket;

  private constructor(socket: Socket, answers: (request: Buffer) => readonly Buffer[]) {
    this.#socket = socket;
    this.endpoint = { address: { family: 4, text: '127.0.0.1' }, port: socket.address().port };
    socket.on('message', (request: Buffer, from: RemoteInfo) => {
      this.requests.push({ packet: request, port: from.port });
      for (const answer of answers(request)) socket.send(answer, from.port, from.address);
    });
  }

  static async start(answers: (request: Buffer) => readonly Buffer[]): Promise<FakeRadiusServer> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new FakeRadiusServer(socket, answers);
  }

  async close(): Promise<void> {
    this.#socket.close();
    await once(this.#socket, 'close');
  }
}

import { connect, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { errnoOf, messageOf } from '../system/errors.ts';
import type { HttpBounds, HttpOutcome, HttpRequest } from './http-exchange.ts';
import { printable } from './printable.ts';

const SHOWN_CHARACTERS = 120;
/** Fields of a header; each costs the other end a byte or two, and us an object. */
const MOST_FIELDS = 128;

/**
 * Sends one request without a body over HTTP/2 (RFC 9113), and reads the response to it.
 *
 * @param socket an open connection on which HTTP/2 was agreed; it is ended afterwards
 * @param request its `Host` becomes `:authority`
 * @param signal ends the exchange at once when it is aborted
 */
export async function exchangeHttp2(
  socket: Socket,
  request: HttpRequest,
  bounds: HttpBounds,
  signal: AbortSignal,
): Promise<HttpOutcome> {
  if (signal.aborted) return { kind: 'aborted', position: 'nothing' };
  const progress: Progress = { socket, headers: undefined, body: [], bodyBytes: 0 };
  let complain = (_fault: string): void => undefined;
  const connection = overheard(socket, (fault) => {
    complain(fault);
  });
  const session = connect('https://[::]/', {
    createConnection: () => connection,
    maxHeaderListPairs: MOST_FIELDS,
    settings: { enablePush: false, maxHeaderListSize: bounds.maxHeadBytes },
  });
  let abort = (): void => undefined;
  try {
    return await new Promise<HttpOutcome>((settle) => {
      abort = () => {
        settle({ kind: 'aborted', position: positionOf(progress) });
      };
      complain = (fault) => {
        settle({ kind: 'malformed', fault: `HTTP/2: ${printable(fault, SHOWN_CHARACTERS)}` });
      };
      signal.addEventListener('abort', abort);
      ask(session, request, bounds, progress, settle);
    });
  } finally {
    signal.removeEventListener('abort', abort);
    session.destroy(); // its listeners stay: an error that follows must still find one
    socket.destroy();
  }
}

interface Progress {
  readonly socket: Socket;
  headers: IncomingHttpHeaders | undefined;
  readonly body: Buffer[];
  bodyBytes: number;
}

function ask(
  session: ClientHttp2Session,
  { method, target, headers }: HttpRequest,
  bounds: HttpBounds,
  progress: Progress,
  settle: (outcome: HttpOutcome) => void,
): void {
  const fail = (error: Error): void => {
    settle(outcomeOfError(error, progress));
  };
  const closed = (): void => {
    settle({ kind: 'closed', position: positionOf(progress) });
  };
  session.on('error', fail);
  session.on('close', closed);
  const host = headers.find(([name]) => name.toLowerCase() === 'host')?.[1] ?? '';
  const others = headers.filter(([name]) => !['host', 'connection'].includes(name.toLowerCase()));
  const stream = session.request({
    ':method': method,
    ':authority': host,
    ':path': target,
    ...Object.fromEntries(others.map(([name, value]) => [name.toLowerCase(), value])),
  });
  stream.on('error', fail);
  stream.on('response', (received) => {
    progress.headers = received;
  });
  stream.on('data', (chunk: Buffer) => {
    progress.body.push(chunk);
    progress.bodyBytes += chunk.length;
    if (progress.bodyBytes > bounds.maxBodyBytes) settle(complete(progress, bounds));
  });
  stream.on('end', () => {
    if (progress.headers !== undefined && stream.rstCode === 0) settle(complete(progress, bounds));
  });
  stream.on('close', closed);
  stream.end();
}

function complete({ headers, body, bodyBytes }: Progress, bounds: HttpBounds): HttpOutcome {
  const fields = Object.entries(headers ?? {}).map(
    ([name, value]) => [name, [value].flat().join(', ')] as const,
  );
  return {
    kind: 'complete',
    response: {
      statusCode: Number(headers?.[':status'] ?? 0),
      headers: new Map(fields.filter(([name]) => !name.startsWith(':'))),
      body: Buffer.concat(body).subarray(0, bounds.maxBodyBytes),
      isCut: bodyBytes > bounds.maxBodyBytes,
    },
  };
}

function outcomeOfError(error: Error, progress: Progress): HttpOutcome {
  const code = errnoOf(error);
  if (code?.startsWith('ERR_HTTP2_') === true) {
    return { kind: 'malformed', fault: `HTTP/2: ${printable(messageOf(error), SHOWN_CHARACTERS)}` };
  }
  // Node calls a connection that ends before the answer does a reset one; a real reset has a call.
  if (code === 'ECONNRESET' && !('syscall' in error)) {
    return { kind: 'closed', position: positionOf(progress) };
  }
  return { kind: 'failed', error };
}

/** How far it came, for the message about an answer that stopped. */
function positionOf({ socket, headers, bodyBytes }: Progress): string {
  if (headers === undefined) {
    return socket.bytesRead === 0 ? 'nothing' : `${socket.bytesRead} bytes of HTTP/2 and no answer`;
  }
  return `status ${String(headers[':status'])} and ${bodyBytes} bytes of the body`;
}

/** Length, type, flags and stream (RFC 9113 section 4.1). */
const FRAME_HEAD_BYTES = 9;
const GOAWAY = 7;
/** The last stream and the error code stand before a GOAWAY's text (section 6.8). */
const GOAWAY_HEAD_BYTES = 8;
const PREFACE_BYTES = 24;

/**
 * The connection, with an ear on what Node sends: at a frame that breaks the protocol it sends a
 * GOAWAY, reads nothing any more, and tells nobody.
 *
 * @param complain is told what that GOAWAY says
 */
function overheard(socket: Socket, complain: (fault: string) => void): Duplex {
  let sent = Buffer.alloc(0);
  let at = PREFACE_BYTES;
  const listen = (chunk: Buffer): void => {
    sent = Buffer.concat([sent, chunk]);
    while (sent.length >= at + FRAME_HEAD_BYTES) {
      const end = at + FRAME_HEAD_BYTES + sent.readUIntBE(at, 3);
      if (sent.length < end) return;
      const payload = sent.subarray(at + FRAME_HEAD_BYTES, end);
      const isFault = sent[at + 3] === GOAWAY && payload.readUInt32BE(4) !== 0;
      const fault = payload.toString('latin1', GOAWAY_HEAD_BYTES);
      if (isFault) complain(fault === '' ? 'a frame that breaks the protocol' : fault);
      sent = sent.subarray(end);
      at = 0;
    }
  };
  const duplex = new Duplex({
    read: () => socket.resume(),
    write: (chunk: Buffer, _encoding, done) => {
      listen(chunk);
      socket.write(chunk, done);
    },
    final: (done) => socket.end(done),
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  socket.on('data', (chunk: Buffer) => {
    if (!duplex.push(chunk)) socket.pause();
  });
  socket.on('end', () => duplex.push(null));
  socket.on('error', (error) => duplex.destroy(error));
  return duplex;
}

import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { errnoOf, messageOf } from '../system/errors.ts';
import type { Peer } from './udp-exchange.ts';

export interface HttpRequest {
  readonly method: string;
  /** What follows the method (RFC 9112 section 3.2). */
  readonly target: string;
  /** In the order they are sent; `Host` is among them. One character per byte. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface HttpResponse {
  readonly statusCode: number;
  /** By lower-case name; fields of the same name are joined by `, ` (RFC 9110 section 5.3). */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** Whether the body went on beyond the bound: `body` then is its beginning. */
  readonly isCut: boolean;
}

export interface HttpBounds {
  /** Status line and header fields. */
  readonly maxHeadBytes: number;
  readonly maxBodyBytes: number;
}

/** How an exchange ended. */
export type HttpOutcome =
  | { readonly kind: 'complete'; readonly response: HttpResponse }
  | { readonly kind: 'malformed'; readonly fault: string }
  | { readonly kind: 'closed'; readonly position: string }
  | { readonly kind: 'aborted'; readonly position: string }
  | { readonly kind: 'failed'; readonly error: Error };

/**
 * Sends one request without a body over a connection of its own and reads the final response to
 * it, with Node's own client (RFC 9112).
 *
 * @param to whom to connect to, or a connection that is open already, of which this is the only use
 * @param signal ends the exchange at once when it is aborted
 * @returns how it ended, and for an answer that did not, how far it came
 */
export async function exchangeHttp(
  to: Peer | { readonly socket: Socket },
  { method, target, headers }: HttpRequest,
  bounds: HttpBounds,
  signal: AbortSignal,
): Promise<HttpOutcome> {
  const { request } = await import('node:http');
  if (signal.aborted) return { kind: 'aborted', position: 'no connection' };
  const asking = request({
    // Node uses a connection that it is given where no word is lost on agents.
    ...('socket' in to
      ? { createConnection: () => to.socket }
      : { host: to.address.text, port: to.port, agent: false }),
    method,
    path: target,
    headers: headers.flat(),
    maxHeaderSize: bounds.maxHeadBytes,
  });
  const progress: Progress = { asking, response: undefined, body: [], bodyBytes: 0 };
  let abort = (): void => undefined;
  try {
    return await new Promise<HttpOutcome>((settle) => {
      abort = () => {
        settle({ kind: 'aborted', position: positionOf(progress) });
      };
      signal.addEventListener('abort', abort);
      const fail = (error: Error): void => {
        settle(outcomeOfError(error, progress, bounds));
      };
      asking.on('error', fail);
      // Interim responses (RFC 9110 section 15.2) are passed over, but not without end.
      asking.on('information', () => {
        if (received(progress) > bounds.maxHeadBytes) settle(tooLong(bounds));
      });
      // What a tunnel is answered with: whatever follows is not of this protocol any more.
      asking.on('connect', (response, tunnel) => {
        tunnel.destroy();
        progress.response = response;
        settle(complete(progress, false));
      });
      asking.on('upgrade', (_response, socket) => {
        socket.destroy();
        settle({ kind: 'malformed', fault: 'another protocol, which was not asked for' });
      });
      asking.on('response', (response) => {
        progress.response = response;
        response.on('error', fail);
        response.on('data', (chunk: Buffer) => {
          progress.body.push(chunk);
          progress.bodyBytes += chunk.length;
          if (progress.bodyBytes > bounds.maxBodyBytes) settle(complete(progress, true, bounds));
        });
        response.on('end', () => {
          settle(complete(progress, false));
        });
      });
      asking.end();
    });
  } finally {
    signal.removeEventListener('abort', abort);
    asking.destroy(); // its listeners stay: an error that follows must still find one
  }
}

interface Progress {
  readonly asking: ClientRequest;
  response: IncomingMessage | undefined;
  readonly body: Buffer[];
  bodyBytes: number;
}

function complete({ response, body }: Progress, isCut: boolean, bounds?: HttpBounds): HttpOutcome {
  const whole = Buffer.concat(body);
  return {
    kind: 'complete',
    response: {
      statusCode: response?.statusCode ?? 0,
      headers: fieldsOf(response?.rawHeaders ?? []),
      body: whole.subarray(0, bounds?.maxBodyBytes),
      isCut,
    },
  };
}

/** @param raw names and values in turn */
function fieldsOf(raw: readonly string[]): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase();
    const former = fields.get(name);
    fields.set(
      name,
      former === undefined ? (raw[at + 1] ?? '') : `${former}, ${raw[at + 1] ?? ''}`,
    );
  }
  return fields;
}

function outcomeOfError(error: Error, progress: Progress, bounds: HttpBounds): HttpOutcome {
  const code = errnoOf(error);
  if (code === 'HPE_HEADER_OVERFLOW') return tooLong(bounds);
  // llhttp's own errors, see https://nodejs.org/api/errors.html
  if (code?.startsWith('HPE_') === true) {
    const isFirst = progress.response === undefined && code === 'HPE_INVALID_CONSTANT';
    const reason = 'reason' in error ? String(error.reason) : messageOf(error);
    return { kind: 'malformed', fault: isFirst ? 'no HTTP status line' : reason };
  }
  // Node calls a connection that ends before the answer does a reset one; a real reset has a call.
  if (code === 'ECONNRESET' && !('syscall' in error)) {
    return { kind: 'closed', position: positionOf(progress) };
  }
  return { kind: 'failed', error };
}

function tooLong({ maxHeadBytes }: HttpBounds): HttpOutcome {
  return { kind: 'malformed', fault: `header longer than ${maxHeadBytes} bytes` };
}

function received({ asking }: Progress): number {
  return asking.socket?.bytesRead ?? 0;
}

/** How far it came, for the message about an answer that stopped. */
function positionOf(progress: Progress): string {
  const { asking, response, bodyBytes } = progress;
  if (response !== undefined) {
    return `status ${response.statusCode ?? 0} and ${bodyBytes} bytes of the body`;
  }
  const bytes = received(progress);
  if (bytes > 0) return `${bytes} bytes of the header`;
  return asking.socket?.connecting === false ? 'nothing' : 'no connection';
}

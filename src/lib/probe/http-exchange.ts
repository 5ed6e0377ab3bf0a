import { HttpResponseReader, type HttpBounds, type HttpResponse } from './http-response-reader.ts';
import { askOverTcp } from './tcp-exchange.ts';
import type { Peer } from './udp-exchange.ts';

export interface HttpRequest {
  readonly method: string;
  /** What follows the method (RFC 9112 section 3.2). */
  readonly target: string;
  /** In the order they are sent; `Host` is among them. One character per byte. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** How an exchange ended. */
export type HttpOutcome =
  | { readonly kind: 'complete'; readonly response: HttpResponse }
  | { readonly kind: 'malformed'; readonly fault: string }
  | { readonly kind: 'closed'; readonly position: string }
  | { readonly kind: 'aborted'; readonly position: string }
  | { readonly kind: 'failed'; readonly error: Error };

/**
 * Sends one request without a body over a connection of its own and reads the response to it.
 *
 * @param signal ends the exchange at once when it is aborted
 * @returns how it ended, and for an answer that did not, how far it came
 */
export async function exchangeHttp(
  peer: Peer,
  request: HttpRequest,
  bounds: HttpBounds,
  signal: AbortSignal,
): Promise<HttpOutcome> {
  const reader = new HttpResponseReader(request.method, bounds);
  // Chunks carry their sizes, and extensions of any length: their sum has a bound too.
  const maxBytes = 4 * (bounds.maxHeadBytes + bounds.maxBodyBytes);
  const outcome = await askOverTcp({
    peer,
    payload: Buffer.from(encodeRequest(request), 'latin1'),
    receive: (bytes) => {
      const progress = reader.push(bytes.toString('latin1'));
      return progress.kind === 'reading' ? undefined : progress;
    },
    maxBytes,
    signal,
  });
  switch (outcome.kind) {
    case 'answered':
      return outcome.answer;
    case 'closed': {
      const progress = reader.end();
      return progress.kind === 'reading' ? { kind: 'closed', position: reader.position } : progress;
    }
    case 'flooded':
      return { kind: 'malformed', fault: `longer than ${maxBytes} bytes` };
    case 'aborted':
      return { kind: 'aborted', position: outcome.connected ? reader.position : 'no connection' };
    case 'failed':
      return outcome;
  }
}

function encodeRequest({ method, target, headers }: HttpRequest): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}`);
  return [`${method} ${target} HTTP/1.1`, ...lines, '', ''].join('\r\n');
}

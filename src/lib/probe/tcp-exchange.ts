import type { Socket } from 'node:net';
import { monotonicMs } from '../system/clock.ts';
import type { Peer } from './udp-exchange.ts';

export interface TcpQuestion<Answer> {
  /** Whom to connect to, or a connection that is open already, of which this is the only use. */
  readonly to: Peer | { readonly socket: Socket };
  readonly payload: Uint8Array;
  /** Takes what arrived since the last call. Makes the answer, or undefined to go on reading. */
  readonly receive: (chunk: Buffer) => Answer | undefined;
  /** How much is read without an answer before the exchange ends. */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

export type TcpOutcome<Answer> =
  | { readonly kind: 'answered'; readonly answer: Answer; readonly tookMs: number }
  | { readonly kind: 'failed'; readonly error: Error }
  /** The other end closed the connection, or sent too much, before there was an answer. */
  | { readonly kind: 'closed' | 'flooded'; readonly receivedBytes: number }
  | { readonly kind: 'aborted'; readonly connected: boolean };

/**
 * Asks once over a connection of its own and hands over what comes back, chunk by chunk, until
 * there is an answer.
 *
 * @returns the answer and the time since the connection was begun; the socket's error; how the
 *   exchange ended without an answer; or that the signal came first. What `receive` throws rejects
 *   the promise.
 */
export async function askOverTcp<Answer>(
  question: TcpQuestion<Answer>,
): Promise<TcpOutcome<Answer>> {
  const { to, payload, receive, maxBytes, signal } = question;
  // Only here: most probes ask over UDP and need no streams.
  const { connect } = await import('node:net');
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      resolve({ kind: 'aborted', connected: false });
      return;
    }
    const startedAtMs = monotonicMs();
    let connected = 'socket' in to;
    let receivedBytes = 0;
    const socket =
      'socket' in to ? to.socket : connect({ host: to.address.text, port: to.port, noDelay: true });

    const settle = (outcome: TcpOutcome<Answer>): void => {
      // The listeners stay: an error that follows a destroy() must still find one.
      signal.removeEventListener('abort', abort);
      socket.destroy();
      resolve(outcome);
    };
    const abort = (): void => {
      settle({ kind: 'aborted', connected });
    };

    signal.addEventListener('abort', abort);
    if (connected) socket.write(payload);
    socket.on('connect', () => {
      connected = true;
      socket.write(payload);
    });
    socket.on('data', (chunk) => {
      receivedBytes += chunk.length;
      try {
        const answer = receive(chunk);
        if (answer !== undefined) {
          settle({ kind: 'answered', answer, tookMs: monotonicMs() - startedAtMs });
        } else if (receivedBytes >= maxBytes) {
          settle({ kind: 'flooded', receivedBytes });
        }
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
        abort();
      }
    });
    socket.on('error', (error) => {
      settle({ kind: 'failed', error });
    });
    socket.on('end', () => {
      settle({ kind: 'closed', receivedBytes });
    });
  });
}

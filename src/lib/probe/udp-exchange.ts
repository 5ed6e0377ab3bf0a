import { monotonicMs } from '../system/clock.ts';
import type { IpAddress } from '../system/ip-address.ts';
import { openUdpSocket } from '../system/udp-socket.ts';

/** The one other end of an exchange. */
export interface Peer {
  readonly address: IpAddress;
  readonly port: number;
}

export interface UdpQuestion<Answer> {
  readonly peer: Peer;
  readonly payload: Uint8Array;
  /** Makes the answer of a datagram, or undefined to ignore it and go on listening. */
  readonly accept: (datagram: Buffer) => Answer | undefined;
  readonly signal: AbortSignal;
}

export type UdpOutcome<Answer> =
  | { readonly kind: 'answered'; readonly answer: Answer; readonly tookMs: number }
  | { readonly kind: 'failed'; readonly error: Error }
  | { readonly kind: 'aborted' };

/**
 * Asks once over UDP and hands over datagrams until one is accepted. The socket is connected: the
 * kernel drops what other ends send, and reports an ICMP error about this peer as the socket's own
 * (ip(7), udp(7)). Each call has a socket of its own, and with it a source port that the kernel
 * chose at random.
 *
 * @returns the answer and the time since the question was sent; the socket's error; or that the
 *   signal came first. What `accept` throws rejects the promise.
 */
export function askOverUdp<Answer>(question: UdpQuestion<Answer>): Promise<UdpOutcome<Answer>> {
  const { peer, payload, accept, signal } = question;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      resolve({ kind: 'aborted' });
      return;
    }
    const socket = openUdpSocket({
      type: peer.address.family === 4 ? 'udp4' : 'udp6',
      lookup: passLiteral,
    });
    let settled = false;
    let sentAtMs = 0;

    const finish = (): boolean => {
      if (settled) return false;
      settled = true;
      signal.removeEventListener('abort', abort);
      socket.close();
      return true;
    };
    const abort = (): void => {
      if (finish()) resolve({ kind: 'aborted' });
    };
    const fail = (error: Error): void => {
      if (finish()) resolve({ kind: 'failed', error });
    };

    signal.addEventListener('abort', abort);
    socket.on('error', fail);
    socket.on('connect', () => {
      if (settled) return;
      sentAtMs = monotonicMs();
      socket.send(payload, (error) => {
        if (error !== null) fail(error);
      });
    });
    socket.on('message', (datagram) => {
      if (settled) return;
      try {
        const answer = accept(datagram);
        if (answer === undefined) return;
        const tookMs = monotonicMs() - sentAtMs;
        if (finish()) resolve({ kind: 'answered', answer, tookMs });
      } catch (error) {
        if (finish()) reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
    // Binding is implied, to port 0 and exclusively.
    socket.connect(peer.port, peer.address.text);
  });
}

/** Stands in for dns.lookup, which would load a resolver for what is an IP literal already. */
export function passLiteral(
  hostname: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, hostname, hostname.includes(':') ? 6 : 4);
}

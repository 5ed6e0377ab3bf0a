import type { Socket } from 'node:net';
import type { IpAddress } from '../../system/ip-address.ts';
import { openUdpSocket } from '../../system/udp-socket.ts';
import { passLiteral } from '../udp-exchange.ts';

/** Where the syslog daemon sends messages back to. */
export interface ListenAddress {
  readonly transport: 'udp' | 'tcp';
  readonly address: IpAddress;
  readonly port: number;
}

/** A bound listener that looks for one message. */
export interface SyslogListener {
  /** Settles when the nonce has arrived; rejects with the socket's error. */
  readonly arrival: Promise<void>;
  /** Whether something without the nonce arrived. */
  heardOthers(): boolean;
  /** Frees the port. */
  close(): void;
}

/** Connections that are served at once: the daemon needs one, or two while it reconnects. */
const MAX_CONNECTIONS = 16;

/**
 * Binds a listener. It looks for the nonce and for nothing else: daemons rewrite the line around
 * it, and send other messages.
 *
 * @param nonce ASCII that nobody can guess
 * @throws the system's error when it cannot be bound, for example EADDRINUSE
 */
export function openSyslogListener(listen: ListenAddress, nonce: string): Promise<SyslogListener> {
  return listen.transport === 'udp' ? listenOnUdp(listen, nonce) : listenOnTcp(listen, nonce);
}

function listenOnUdp({ address, port }: ListenAddress, nonce: string): Promise<SyslogListener> {
  const socket = openUdpSocket({
    type: address.family === 4 ? 'udp4' : 'udp6',
    ipv6Only: address.family === 6,
    lookup: passLiteral,
  });
  let others = false;
  let isOpen = true;
  const close = (): void => {
    if (isOpen) socket.close();
    isOpen = false;
  };
  const arrival = new Promise<void>((resolve, reject) => {
    socket.on('error', (error) => {
      reject(error);
      close();
    });
    socket.on('message', (datagram) => {
      if (datagram.includes(nonce)) resolve();
      else others = true;
    });
  });
  return new Promise((resolve, reject) => {
    arrival.catch(reject); // an error before it is bound
    // Exclusive: the port must not be shared with another probe.
    socket.bind({ address: address.text, port, exclusive: true }, () => {
      resolve({ arrival, heardOthers: () => others, close });
    });
  });
}

async function listenOnTcp(
  { address, port }: ListenAddress,
  nonce: string,
): Promise<SyslogListener> {
  const { createServer } = await import('node:net');
  const server = createServer();
  server.maxConnections = MAX_CONNECTIONS;
  const connections = new Set<Socket>();
  let others = false;
  const arrival = new Promise<void>((resolve, reject) => {
    server.on('error', reject);
    server.on('connection', (connection) => {
      const search = new StreamSearch(nonce);
      connections.add(connection);
      connection.on('error', () => {
        // The daemon may come again with another connection.
      });
      connection.on('close', () => connections.delete(connection));
      connection.on('data', (bytes) => {
        if (search.push(bytes.toString('latin1'))) resolve();
        else others = true;
      });
    });
  });
  return new Promise((resolve, reject) => {
    arrival.catch(reject);
    server.listen({ host: address.text, port, exclusive: true, ipv6Only: true }, () => {
      const close = (): void => {
        server.close();
        for (const connection of connections) connection.destroy();
      };
      resolve({ arrival, heardOthers: () => others, close });
    });
  });
}

/**
 * Finds a text in a stream whose pieces may end anywhere. It needs no frames, so it understands
 * octet counting and line ends alike (RFC 6587), and holds less than the text's length.
 */
export class StreamSearch {
  readonly #text: string;
  #tail = '';

  constructor(text: string) {
    this.#text = text;
  }

  /** Returns whether the text is complete with this piece. */
  push(piece: string): boolean {
    const joined = this.#tail + piece;
    this.#tail = joined.slice(Math.max(0, joined.length - this.#text.length + 1));
    return joined.includes(this.#text);
  }
}

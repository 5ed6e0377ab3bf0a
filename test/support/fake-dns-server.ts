import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import { errnoOf } from '../../src/lib/system/errors.ts';
import type { Peer } from '../../src/lib/probe/udp-exchange.ts';

/** One query that came over UDP, and ways to answer it. */
export interface UdpQuery {
  readonly message: Buffer;
  readonly send: (datagram: Uint8Array) => void;
  /** Sends from a port that was not asked. */
  readonly sendAsStranger: (datagram: Uint8Array) => void;
}

export interface FakeBehaviour {
  /** Called for each datagram; does nothing by default. */
  readonly onUdp?: (query: UdpQuery) => void;
  /** Called for each connection; without it, connections are refused. */
  readonly onTcp?: (connection: Socket) => void;
}

/** A server on loopback that answers as no real one does. */
export class FakeDnsServer {
  readonly peer: Peer;
  /** All that it received over UDP. */
  readonly received: readonly Buffer[];
  /** The ports from which that came. */
  readonly askers: readonly number[];
  readonly #udp: UdpSocket;
  readonly #stranger: UdpSocket;
  readonly #tcp: Server | undefined;
  readonly #connections = new Set<Socket>();

  private constructor(
    udp: UdpSocket,
    stranger: UdpSocket,
    tcp: Server | undefined,
    { onUdp, onTcp }: FakeBehaviour,
  ) {
    this.#udp = udp;
    this.#stranger = stranger;
    this.#tcp = tcp;
    this.peer = { address: { family: 4, text: '127.0.0.1' }, port: udp.address().port };
    const received: Buffer[] = [];
    const askers: number[] = [];
    this.received = received;
    this.askers = askers;
    udp.on('message', (message, { port, address }) => {
      received.push(message);
      askers.push(port);
      onUdp?.({
        message,
        send: (datagram) => {
          udp.send(datagram, port, address);
        },
        sendAsStranger: (datagram) => {
          stranger.send(datagram, port, address);
        },
      });
    });
    tcp?.on('connection', (connection) => {
      this.#connections.add(connection);
      connection.on('error', () => {
        // The client may reset it: that is its verdict's business.
      });
      onTcp?.(connection);
    });
  }

  static async start(behaviour: FakeBehaviour): Promise<FakeDnsServer> {
    for (;;) {
      const udp = await bindUdp();
      const stranger = await bindUdp();
      try {
        const tcp = behaviour.onTcp === undefined ? undefined : await listenTcp(udp.address().port);
        return new FakeDnsServer(udp, stranger, tcp, behaviour);
      } catch (error) {
        udp.close();
        stranger.close();
        if (errnoOf(error) !== 'EADDRINUSE') throw error; // another took the port for TCP
      }
    }
  }

  async stop(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    await Promise.all([
      new Promise<void>((resolve) => this.#udp.close(resolve)),
      new Promise<void>((resolve) => this.#stranger.close(resolve)),
      new Promise<void>((resolve) => {
        if (this.#tcp === undefined) resolve();
        else
          this.#tcp.close(() => {
            resolve();
          });
      }),
    ]);
  }
}

/** Calls back with the first query of a connection, without its length. */
export function onTcpQuery(connection: Socket, answer: (query: Buffer) => void): void {
  let received = Buffer.alloc(0);
  let done = false;
  connection.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
    if (done || received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
    done = true;
    answer(received.subarray(2, 2 + received.readUInt16BE(0)));
  });
}

/** A port of 127.0.0.1 that was free a moment ago: what asks there is refused. */
export async function closedPort(): Promise<Peer> {
  const socket = await bindUdp();
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(resolve));
  return { address: { family: 4, text: '127.0.0.1' }, port };
}

function bindUdp(): Promise<UdpSocket> {
  const socket = createSocket('udp4');
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, '127.0.0.1', () => {
      resolve(socket);
    });
  });
}

function listenTcp(port: number): Promise<Server> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      resolve(server);
    });
  });
}

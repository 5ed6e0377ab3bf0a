import { once } from 'node:events';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls';
import type { Peer } from '../../src/lib/probe/udp-exchange.ts';

/** A server on loopback that does with its connections what it is told to. */
export class FakeTlsServer {
  readonly peer: Peer;
  readonly #server: Server;
  readonly #connections = new Set<Socket>();

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.peer = { address: { family: 4, text: '127.0.0.1' }, port };
  }

  /** With a certificate: what is told is done behind the handshake. */
  static async tls(
    options: TlsOptions,
    serve: (socket: TLSSocket) => void,
  ): Promise<FakeTlsServer> {
    const server = createTlsServer(options, (socket) => {
      socket.on('error', ignore);
      serve(socket);
    });
    server.on('tlsClientError', ignore);
    return FakeTlsServer.#listen(server);
  }

  /** Without one: what is told is done in place of the handshake. */
  static async plain(serve: (socket: Socket) => void): Promise<FakeTlsServer> {
    const server = createTcpServer((socket) => {
      socket.on('error', ignore);
      serve(socket);
    });
    return FakeTlsServer.#listen(server);
  }

  static async #listen(server: Server): Promise<FakeTlsServer> {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const bound = server.address();
    if (bound === null || typeof bound === 'string') throw new Error('no port');
    const fake = new FakeTlsServer(server, bound.port);
    server.on('connection', (socket: Socket) => fake.#connections.add(socket));
    return fake;
  }

  async close(): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function ignore(): void {
  // The other end closes when it has what it wants.
}

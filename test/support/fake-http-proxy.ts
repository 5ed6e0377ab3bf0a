import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Peer } from '../../src/lib/probe/udp-exchange.ts';

/** What the proxy does once the head of a request is there. */
export type Behaviour = (connection: Socket, request: string) => void;

/** A proxy that says what no real one would. */
export class FakeHttpProxy {
  readonly peer: Peer;
  /** The heads of the requests, as they came. */
  readonly requests: string[] = [];
  readonly #server: Server;
  readonly #connections = new Set<Socket>();

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.peer = { address: { family: 4, text: '127.0.0.1' }, port };
  }

  static async start(behaviour: Behaviour): Promise<FakeHttpProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const bound = server.address();
    if (bound === null || typeof bound === 'string') throw new Error('no port');
    const proxy = new FakeHttpProxy(server, bound.port);
    server.on('connection', (connection) => {
      proxy.#connections.add(connection);
      connection.on('error', () => {
        // The probe closes when it has what it wants.
      });
      let request = '';
      connection.setEncoding('latin1').on('data', (text: string) => {
        if (request.includes('\r\n\r\n')) return;
        request += text;
        if (!request.includes('\r\n\r\n')) return;
        proxy.requests.push(request);
        behaviour(connection, request);
      });
    });
    return proxy;
  }

  /** Connections that are still open. */
  get openConnections(): number {
    return [...this.#connections].filter((connection) => !connection.destroyed).length;
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

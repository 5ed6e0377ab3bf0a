import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket as TcpSocket } from 'node:net';

/** Called for every piece of text that arrives. */
export type OnMessage = (message: string) => void | Promise<void>;

/** A syslog daemon that keeps what it gets, and does with it what the test says. */
export class FakeSyslog {
  readonly received: string[] = [];
  readonly port: number;
  readonly #close: () => Promise<void>;

  private constructor(port: number, close: () => Promise<void>) {
    this.port = port;
    this.#close = close;
  }

  static async onUdp(onMessage: OnMessage): Promise<FakeSyslog> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const daemon = new FakeSyslog(socket.address().port, () => closeUdp(socket));
    socket.on('message', (datagram) => {
      daemon.received.push(datagram.toString());
      void onMessage(datagram.toString());
    });
    return daemon;
  }

  static async onTcp(
    onMessage: (message: string, connection: TcpSocket) => void,
  ): Promise<FakeSyslog> {
    const server = createServer();
    const connections: TcpSocket[] = [];
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const daemon = new FakeSyslog(address.port, async () => {
      for (const connection of connections) connection.destroy();
      await closeTcp(server);
    });
    server.on('connection', (connection) => {
      connections.push(connection);
      connection.on('error', () => undefined);
      connection.setEncoding('latin1').on('data', (text: string) => {
        daemon.received.push(text);
        onMessage(text, connection);
      });
    });
    return daemon;
  }

  close(): Promise<void> {
    return this.#close();
  }
}

/** Sends datagrams to a port of 127.0.0.1, one after the other. */
export async function sendDatagrams(port: number, ...datagrams: readonly string[]): Promise<void> {
  const socket = createSocket('udp4');
  for (const datagram of datagrams) {
    await new Promise<void>((resolve) => {
      socket.send(datagram, port, '127.0.0.1', () => {
        resolve();
      });
    });
  }
  await closeUdp(socket);
}

/** A port of 127.0.0.1 that was free for both transports just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  await closeTcp(server);
  return address.port;
}

function closeUdp(socket: UdpSocket): Promise<void> {
  return new Promise((resolve) => {
    socket.close(resolve);
  });
}

function closeTcp(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
  });
}

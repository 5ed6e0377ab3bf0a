import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { Verdict } from '../../../../src/lib/probe/probe.ts';
import {
  probeTcp,
  type TcpConnectOptions,
} from '../../../../src/lib/probe/tcp-route/tcp-route-probe.ts';
import { parseAddress } from '../../../../src/lib/system/ip-address.ts';
import { recordedLog } from '../../../support/recorded-log.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** What servers do when a client closes without having asked anything. */
function closeInReturn(socket: Socket): void {
  socket.resume();
  socket.on('end', () => socket.end());
}

/** A port of 127.0.0.1 that takes connections. */
async function openPort(onConnection: (socket: Socket) => void = closeInReturn): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}

/** A port of 127.0.0.1 that refuses connections. */
async function closedPort(): Promise<number> {
  const port = await openPort();
  await new Promise((resolve) => servers.pop()?.close(resolve));
  return port;
}

function ask(
  ports: readonly number[],
  changes: Partial<TcpConnectOptions> = {},
  signal = AbortSignal.timeout(5000),
): Promise<Verdict> {
  const address = parseAddress('127.0.0.1');
  const options = {
    address,
    ports,
    require: 'all',
    source: undefined,
    stayMs: undefined,
    ...changes,
  } as const;
  return probeTcp(options, { signal, log: recordedLog() });
}

describe('tcp-route-probe', () => {
  test('is up when all ports are open', async () => {
    const ports = [await openPort(), await openPort()];
    expect(await ask(ports)).toEqual({
      status: 'up',
      detail: expect.stringMatching(
        `^127.0.0.1:${ports[0]} open; 127.0.0.1:${ports[1]} open in \\d+ ms$`,
      ) as string,
    });
  });

  test('is down when one is closed, and names only those that are', async () => {
    const [open, closed] = [await openPort(), await closedPort()];
    expect(await ask([open, closed])).toEqual({
      status: 'down',
      reason: 'refused',
      detail: `127.0.0.1:${closed}: connection refused`,
    });
  });

  test('is up when any is enough and one is open', async () => {
    const [open, closed] = [await openPort(), await closedPort()];
    const verdict = await ask([closed, open], { require: 'any' });
    expect(verdict).toMatchObject({ status: 'up' });
    expect(verdict.detail).not.toContain(String(closed));
  });

  test('is down when any is enough and none is open', async () => {
    const ports = [await closedPort(), await closedPort()];
    expect(await ask(ports, { require: 'any' })).toMatchObject({ status: 'down' });
  });

  test('is unknown when it cannot ask from the source', async () => {
    // TEST-NET-1 is on no interface that these tests use.
    const source = parseAddress('203.0.113.77');
    expect(await ask([await openPort()], { source })).toMatchObject({
      status: 'unknown',
      reason: 'resources',
      detail: expect.stringContaining('cannot ask from 203.0.113.77') as string,
    });
  });

  test('asks from the source', async () => {
    const seen = new Promise<string | undefined>((resolve) => {
      void openPort((socket) => {
        resolve(socket.remoteAddress);
      }).then((port) => ask([port], { source: parseAddress('127.0.0.9') }));
    });
    expect(await seen).toBe('127.0.0.9');
  });

  test('is down with a timeout when its time is over before it begins', async () => {
    expect(await ask([await openPort()], {}, AbortSignal.abort())).toMatchObject({
      status: 'down',
      reason: 'timeout',
    });
  });

  test('closes in order, although the server greets', async () => {
    const end = new Promise<string>((resolve) => {
      void openPort((socket) => {
        socket.write('220 welcome\r\n');
        socket.resume();
        socket.on('error', (error) => {
          resolve(error.message);
        });
        socket.on('end', () => {
          resolve('end');
          socket.end();
        });
      }).then((port) => ask([port]));
    });
    expect(await end).toBe('end');
  });

  test('is up although the server resets the connection that is closed to it', async () => {
    const port = await openPort((socket) => {
      socket.resume();
      socket.on('end', () => socket.resetAndDestroy());
    });
    expect(await ask([port])).toMatchObject({ status: 'up' });
  });

  test('asks many ports without a warning of the runtime', async () => {
    const warnings: string[] = [];
    const listen = (warning: Error): void => {
      warnings.push(warning.message);
    };
    process.on('warning', listen);
    const ports = await Promise.all(Array.from({ length: 15 }, () => openPort()));
    expect(await ask(ports)).toMatchObject({ status: 'up' });
    await new Promise(setImmediate);
    process.off('warning', listen);
    expect(warnings).toEqual([]);
  });

  test('does not wait for a server that never closes', async () => {
    const sockets: Socket[] = [];
    const port = await openPort((socket) => {
      sockets.push(socket);
    });
    const begin = performance.now();
    expect(await ask([port], {}, AbortSignal.timeout(20_000))).toMatchObject({ status: 'up' });
    expect(performance.now() - begin).toBeLessThan(10_000);
    for (const socket of sockets) socket.destroy();
  });

  describe('that is to see connections stay', () => {
    const STAY = { stayMs: 200 };

    test('is up when they do, and says for how long', async () => {
      const port = await openPort();
      const { status, detail } = await ask([port], STAY);
      expect(detail).toMatch(new RegExp(`^127\\.0\\.0\\.1:${port} open for 200ms in \\d+ ms$`));
      expect(status).toBe('up');
    });

    test('is down when one is reset meanwhile, and up without that', async () => {
      const reset = (socket: Socket): void => void setTimeout(() => socket.resetAndDestroy(), 50);
      const ports = [await openPort(), await openPort(reset)];
      expect(await ask(ports, STAY)).toEqual({
        status: 'down',
        reason: 'reset',
        detail: `127.0.0.1:${ports[1]}: reset within 200ms of the handshake`,
      });
      expect(await ask(ports)).toMatchObject({ status: 'up' });
      expect(await ask(ports, { ...STAY, require: 'any' })).toMatchObject({ status: 'up' });
    });

    test('is up when the other end greets, and closes in order', async () => {
      const port = await openPort((socket) => socket.end('220 welcome\r\n'));
      const { status, detail } = await ask([port], STAY);
      expect(detail).toContain(`127.0.0.1:${port} open, and closed in order by the other end in`);
      expect(status).toBe('up');
    });

    test('is down where the attempt is too short for it', async () => {
      const port = await openPort();
      expect(await ask([port], { stayMs: 5000 }, AbortSignal.timeout(200))).toEqual({
        status: 'down',
        reason: 'timeout',
        detail: `127.0.0.1:${port}: not open for 5s within --timeout`,
      });
    });
  });
});

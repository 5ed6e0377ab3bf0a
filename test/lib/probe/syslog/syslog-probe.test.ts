import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Verdict } from '../../../../src/lib/probe/probe.ts';
import type { ListenAddress } from '../../../../src/lib/probe/syslog/syslog-listener.ts';
import type { SendTarget } from '../../../../src/lib/probe/syslog/syslog-sender.ts';
import {
  probeSyslog,
  type SyslogProbeOptions,
} from '../../../../src/lib/probe/syslog/syslog-probe.ts';
import { FakeSyslog, freePort, sendDatagrams } from '../../../support/fake-syslog.ts';

const LOOPBACK = { family: 4, text: '127.0.0.1' } as const;
const daemons: { close(): unknown }[] = [];
let listenPort = 0;

beforeEach(async () => {
  listenPort = await freePort();
});

afterEach(async () => {
  for (const daemon of daemons.splice(0)) await daemon.close();
});

/** A daemon that sends on what it gets, changed as the function says. */
async function forwarder(change: (message: string) => readonly string[]): Promise<FakeSyslog> {
  const daemon = await FakeSyslog.onUdp((message) => sendDatagrams(listenPort, ...change(message)));
  daemons.push(daemon);
  return daemon;
}

interface Asked {
  readonly verdict: Verdict;
  readonly steps: readonly string[];
}

async function ask(
  send: number | SendTarget,
  { timeoutMs = 10_000, ...options }: Partial<SyslogProbeOptions> & { timeoutMs?: number } = {},
): Promise<Asked> {
  const steps: string[] = [];
  const nothing = (): void => undefined;
  const verdict = await probeSyslog(
    {
      send: typeof send === 'number' ? { transport: 'udp', address: LOOPBACK, port: send } : send,
      listen: { transport: 'udp', address: LOOPBACK, port: listenPort },
      format: 'rfc3164',
      priority: { facility: 'local0', severity: 'debug' },
      ...options,
    },
    {
      signal: AbortSignal.timeout(timeoutMs),
      log: { step: (step) => steps.push(step), notice: nothing, warning: nothing, error: nothing },
    },
  );
  return { verdict, steps };
}

function nonceOf(message: string | undefined): string {
  const nonce = /anycast-ha probe ([0-9a-f]{32})/.exec(message ?? '')?.[1];
  if (nonce === undefined) throw new Error(`no nonce in ${String(message)}`);
  return nonce;
}

/** Holds a port of 127.0.0.1 until the test is over or says so. */
async function holdPort(port: number): Promise<() => void> {
  const socket = createSocket('udp4');
  socket.bind(port, '127.0.0.1');
  await once(socket, 'listening');
  let isHeld = true;
  const release = (): void => {
    if (isHeld) socket.close();
    isHeld = false;
  };
  daemons.push({ close: release });
  return release;
}

/** Binds the port, which fails while a listener is left on it. */
async function expectFree(port: number): Promise<void> {
  const release = await holdPort(port);
  release();
}

describe('a message that comes back', () => {
  test('is up, whatever the daemon made of the line around the nonce', async () => {
    const daemon = await forwarder((message) => [`<13>rewritten ${nonceOf(message)}\n`]);
    const { verdict } = await ask(daemon.port);
    expect(verdict.status).toBe('up');
    expect(verdict.detail).toMatch(
      /^udp:\/\/127\.0\.0\.1:\d+ to udp:\/\/127\.0\.0\.1:\d+: came back in \d+ ms$/,
    );
    expect(daemon.received).toHaveLength(1);
    expect(daemon.received[0]).toMatch(/^<135>[A-Z][a-z]{2} [ \d]\d [\d:]{8} \S+ syslog-probe: /);
  });

  test('is found behind other messages, and behind its own beginning', async () => {
    const daemon = await forwarder((message) => ['other', '', message.slice(0, -1), message]);
    expect((await ask(daemon.port)).verdict.status).toBe('up');
  });

  test('is a new one each time', async () => {
    const daemon = await forwarder((message) => [message]);
    await ask(daemon.port);
    await ask(daemon.port);
    expect(new Set(daemon.received.map(nonceOf)).size).toBe(2);
  });

  test('comes as RFC 5424 when asked for', async () => {
    const daemon = await forwarder((message) => [message]);
    expect((await ask(daemon.port, { format: 'rfc5424' })).verdict.status).toBe('up');
    expect(daemon.received[0]).toMatch(/^<135>1 \d{4}-\d\d-\d\dT[\d:.]+Z \S+ syslog-probe - - - /);
  });
});

describe.each(['udp', 'tcp'] as const)('over IPv6 and %s', (transport) => {
  test('a message comes back', async () => {
    const address = { family: 6, text: '::1' } as const;
    const daemon = createSocket('udp6');
    daemons.push(daemon);
    daemon.bind(0, '::1');
    await once(daemon, 'listening');
    daemon.on('message', (message) => {
      if (transport === 'udp') daemon.send(message, listenPort, '::1');
      else connect(listenPort, '::1').end(message);
    });
    const { port } = daemon.address();
    const { verdict } = await ask(
      { transport: 'udp', address, port },
      { listen: { transport, address, port: listenPort } },
    );
    expect(verdict.status).toBe('up');
    expect(verdict.detail).toContain(`udp://[::1]:${port} to ${transport}://[::1]:${listenPort}: `);
  });
});

describe('a message that does not come back is down', () => {
  test('when nothing comes', async () => {
    const daemon = await forwarder(() => []);
    expect((await ask(daemon.port, { timeoutMs: 200 })).verdict).toEqual({
      status: 'down',
      reason: 'timeout',
      detail: `udp://127.0.0.1:${daemon.port} to udp://127.0.0.1:${listenPort}: the message did not come back in time`,
    });
  });

  test('when only that of another probe comes', async () => {
    const daemon = await forwarder((message) => [
      message.replace(/[0-9a-f]{32}/, '0123456789abcdef0123456789abcdef'),
    ]);
    const { verdict } = await ask(daemon.port, { timeoutMs: 300 });
    expect(verdict).toMatchObject({ status: 'down', reason: 'timeout' });
    expect(verdict.detail).toContain('did not come back in time, only other messages');
  });

  test('when it comes back too late', async () => {
    let before: string | undefined;
    const daemon = await forwarder((message) => {
      const late = before === undefined ? [] : [before];
      before = message;
      return late;
    });
    expect((await ask(daemon.port, { timeoutMs: 100 })).verdict.status).toBe('down');
    const { verdict } = await ask(daemon.port, { timeoutMs: 300 });
    expect(verdict).toMatchObject({ status: 'down', reason: 'timeout' });
    expect(verdict.detail).toContain('only other messages');
  });

  test('when no daemon is there, at once', async () => {
    const port = await freePort();
    expect((await ask(port)).verdict).toEqual({
      status: 'down',
      reason: 'refused',
      detail: `udp://127.0.0.1:${port}: connection refused`,
    });
  });
});

describe("the listener's port", () => {
  test('that another probe holds is waited for', async () => {
    const daemon = await forwarder((message) => [message]);
    const release = await holdPort(listenPort);
    setTimeout(release, 150);
    const { verdict, steps } = await ask(daemon.port);
    expect(verdict.status).toBe('up');
    expect(steps).toEqual([
      `listener udp://127.0.0.1:${listenPort}: address already in use: waiting for it`,
    ]);
  });

  test('that stays taken is unknown at the deadline, and nothing was sent', async () => {
    const daemon = await forwarder((message) => [message]);
    await holdPort(listenPort);
    expect((await ask(daemon.port, { timeoutMs: 150 })).verdict).toEqual({
      status: 'unknown',
      reason: 'port-in-use',
      detail: `listener udp://127.0.0.1:${listenPort}: address already in use`,
    });
    expect(daemon.received).toEqual([]);
  });

  test('that became free when most of the time was gone is not held against the daemon', async () => {
    const daemon = await forwarder(() => []);
    const release = await holdPort(listenPort);
    setTimeout(release, 700);
    const { verdict } = await ask(daemon.port, { timeoutMs: 1000 });
    expect(verdict).toMatchObject({ status: 'unknown', reason: 'port-in-use' });
    expect(verdict.detail).toMatch(/the port became free only after \d+ ms$/);
  });

  test('serves several probes at once, one after the other', async () => {
    const daemon = await forwarder((message) => [message]);
    const asked = await Promise.all(Array.from({ length: 8 }, () => ask(daemon.port)));
    expect(asked.map(({ verdict }) => verdict.status)).toEqual(Array<string>(8).fill('up'));
  });

  test('is free again after every verdict', async () => {
    const up = await forwarder((message) => [message]);
    const silent = await forwarder(() => []);
    await ask(up.port);
    await expectFree(listenPort);
    await ask(silent.port, { timeoutMs: 50 });
    await expectFree(listenPort);
    await ask(await freePort());
    await expectFree(listenPort);
  });

  test('on an address that this node has not is unknown', async () => {
    const listen: ListenAddress = {
      transport: 'udp',
      address: { family: 4, text: '198.51.100.77' },
      port: listenPort,
    };
    const { verdict } = await ask(9, { listen });
    expect(verdict).toMatchObject({ status: 'unknown', reason: 'resources' });
    expect(verdict.detail).toContain('EADDRNOTAVAIL');
  });

  test('of TCP that is taken is unknown too', async () => {
    const holder = createServer().listen(listenPort, '127.0.0.1');
    daemons.push(holder);
    await once(holder, 'listening');
    const listen: ListenAddress = { transport: 'tcp', address: LOOPBACK, port: listenPort };
    const { verdict } = await ask(9, { listen, timeoutMs: 100 });
    expect(verdict).toMatchObject({ status: 'unknown', reason: 'port-in-use' });
  });
});

describe('over TCP', () => {
  async function daemonOnTcp(
    onMessage: (message: string, connection: Socket) => void,
  ): Promise<FakeSyslog> {
    const daemon = await FakeSyslog.onTcp(onMessage);
    daemons.push(daemon);
    return daemon;
  }

  test.each([
    ['octet-counting', /^(\d+) (<135>.*)$/],
    ['lf', /^()(<135>.*)\n$/],
  ] as const)('a message is sent with framing %s', async (framing, frame) => {
    const daemon = await daemonOnTcp((message) => void sendDatagrams(listenPort, message));
    const target = { transport: 'tcp', address: LOOPBACK, port: daemon.port, framing } as const;
    expect((await ask(target)).verdict.status).toBe('up');
    const [, count, message] = frame.exec(daemon.received.join('')) ?? [];
    expect(message).toBeDefined();
    if (framing === 'octet-counting') expect(Number(count)).toBe(message?.length);
  });

  test.each([
    ['octet counting', (message: string) => `5 <0>ab${message.length} ${message}`],
    ['line feeds', (message: string) => `<0>ab\n${message}\n`],
  ])('a message is received with %s, cut anywhere', async (_, frame) => {
    const daemon = await forwarder((message) => {
      const connection = connect(listenPort, '127.0.0.1');
      connection.setNoDelay(true).on('error', () => undefined);
      void (async () => {
        for (const byte of frame(message)) {
          connection.write(byte);
          await new Promise(setImmediate);
        }
      })();
      return [];
    });
    const listen: ListenAddress = { transport: 'tcp', address: LOOPBACK, port: listenPort };
    expect((await ask(daemon.port, { listen })).verdict.status).toBe('up');
  });

  test('a connection that is reset, and many that say nothing, do not hide the message', async () => {
    const daemon = await forwarder((message) => {
      const open = (): Socket => connect(listenPort, '127.0.0.1').on('error', () => undefined);
      const reset = open();
      reset.on('connect', () => reset.resetAndDestroy());
      for (let count = 0; count < 5; count += 1) open();
      open().write(message);
      return [];
    });
    const listen: ListenAddress = { transport: 'tcp', address: LOOPBACK, port: listenPort };
    expect((await ask(daemon.port, { listen })).verdict.status).toBe('up');
    const again = createServer().listen(listenPort, '127.0.0.1');
    daemons.push(again);
    await once(again, 'listening');
  });

  test('a daemon that closes after the message can still send it back', async () => {
    const daemon = await daemonOnTcp((message, connection) => {
      connection.end();
      setTimeout(() => void sendDatagrams(listenPort, message), 100);
    });
    const target = { transport: 'tcp', address: LOOPBACK, port: daemon.port } as const;
    expect((await ask({ ...target, framing: 'lf' })).verdict.status).toBe('up');
  });

  test.each([
    ['octet-counting', 'lf'],
    ['lf', 'octet-counting'],
  ] as const)(
    'a message with framing %s that does not come back may want %s',
    async (framing, other) => {
      const daemon = await daemonOnTcp(() => undefined);
      const target = { transport: 'tcp', address: LOOPBACK, port: daemon.port, framing } as const;
      const { verdict } = await ask(target, { timeoutMs: 200 });
      expect(verdict).toMatchObject({ status: 'down', reason: 'timeout' });
      expect(verdict.detail).toMatch(
        new RegExp(`did not come back in time \\(or the daemon expects --framing ${other}\\)$`),
      );
    },
  );

  test('a daemon that resets is down, and one that is absent', async () => {
    const daemon = await daemonOnTcp((_, connection) => connection.resetAndDestroy());
    const target = { transport: 'tcp', address: LOOPBACK, framing: 'lf' } as const;
    expect((await ask({ ...target, port: daemon.port })).verdict).toMatchObject({
      status: 'down',
      reason: 'reset',
    });
    expect((await ask({ ...target, port: await freePort() })).verdict).toMatchObject({
      status: 'down',
      reason: 'refused',
    });
  });
});

describe('over a unix socket', () => {
  test('that is missing, the verdict is down and shows what logger says', async () => {
    const { verdict } = await ask({ transport: 'unix', path: '/nonexistent/log' });
    expect(verdict).toEqual({
      status: 'down',
      reason: 'refused',
      detail: 'unix:/nonexistent/log: logger(1) says: No such file or directory',
    });
  });
});

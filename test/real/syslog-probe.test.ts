import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Daemon } from '../support/daemon.ts';
import { ROOT, run } from '../support/executable.ts';
import { isListening } from '../support/listening.ts';
import { Namespace } from '../support/namespace.ts';
import {
  readSyslogExample,
  startRsyslog,
  startSyslogNg,
  type SyslogSetup,
} from '../support/syslog-daemons.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

/** syslog-probe on syslog-ng and rsyslog, with the examples as they are shipped. */

const folder = createTemporaryFolder();
const socketPath = path.join(folder, 'log');

afterAll(() => {
  removeTemporaryFolder(folder);
});

const UDP = 'udp://127.0.0.1:5514';
const TCP = 'tcp://127.0.0.1:5514';

/** What differs between the daemons; the tests are the same. */
interface Kind {
  readonly name: string;
  readonly start: (setup: SyslogSetup) => Promise<Daemon>;
  /** The example for UDP. */
  readonly example: string;
  /** It, with a target where nobody listens. */
  readonly misconfigured: string;
  /** What takes messages over TCP and sends them back over UDP. */
  readonly tcp: string;
  /** The target for octet counting, where the daemon has a port of its own for it. */
  readonly counted: string;
  /** Sends back over TCP what comes over UDP. */
  readonly backOverTcp: string;
  readonly unix: string;
}

const syslogNg = readSyslogExample('syslog-ng/probe.conf');
const syslogNgTcp = readSyslogExample('syslog-ng/probe-tcp.conf');
const rsyslog = readSyslogExample('rsyslog/probe.conf');

const KINDS: readonly Kind[] = [
  {
    name: 'syslog-ng',
    start: startSyslogNg,
    example: syslogNg,
    misconfigured: syslogNg.replace('port(5515)', 'port(5599)'),
    tcp: syslogNgTcp.replace('"127.0.0.1" transport("tcp")', '"127.0.0.1" transport("udp")'),
    counted: 'tcp://127.0.0.1:5516',
    backOverTcp: syslogNg.replace('"127.0.0.1" transport("udp")', '"127.0.0.1" transport("tcp")'),
    unix: `source s_src { unix-dgram("${socketPath}"); };\n${readSyslogExample('syslog-ng/probe-unix.conf')}`,
  },
  {
    name: 'rsyslog',
    start: startRsyslog,
    example: rsyslog,
    misconfigured: rsyslog.replace('port="5515"', 'port="5599"'),
    tcp: rsyslog,
    counted: TCP,
    backOverTcp: rsyslog.replace('protocol="udp"', 'protocol="tcp"'),
    unix: `module(load="imuxsock" SysSock.Name="${socketPath}")\n${readSyslogExample('rsyslog/probe-unix.conf')}`,
  },
];

function upFrom(target: string, back = 'udp://127.0.0.1:5515'): unknown {
  return {
    exitCode: 0,
    stdout: expect.stringMatching(
      new RegExp(`^up: ${target} to ${back}: came back in \\d+ ms\\n$`),
    ) as unknown,
    stderr: '',
  };
}

test.each([
  'syslog-ng/probe.conf',
  'syslog-ng/probe-unix.conf',
  'rsyslog/probe.conf',
  'rsyslog/probe-unix.conf',
])('the man page shows the example %s', (name) => {
  const words = (text: string): string => text.replace(/#.*/g, '').replace(/\s+/g, ' ').trim();
  const page = readFileSync(path.join(ROOT, 'man/syslog-probe.8.md'), 'utf8');
  expect(words(page)).toContain(words(readSyslogExample(name)));
});

describe.each(KINDS)('one question to $name', (kind) => {
  let namespace: Namespace;
  const daemons: Daemon[] = [];

  beforeAll(async () => {
    namespace = await Namespace.create();
  });
  afterEach(async () => {
    for (const daemon of daemons.splice(0)) await daemon.stop();
  });
  afterAll(async () => {
    await namespace.dispose();
  });

  async function start(
    configuration: string,
    transport: 'udp' | 'tcp' | 'unix' = 'udp',
  ): Promise<Daemon> {
    const local = transport === 'unix' ? socketPath : '127.0.0.1:5514';
    const daemon = await kind.start({
      namespace,
      folder: path.join(folder, kind.name),
      configuration,
      ready: () => isListening(namespace, transport, local),
    });
    daemons.push(daemon);
    return daemon;
  }

  async function ask(
    ...args: readonly string[]
  ): Promise<{ exitCode: number | null; stdout: string; stderr: string }> {
    const { exitCode, stdout, stderr } = await run('syslog-probe', ['--attempts', '1', ...args], {
      namespace,
    });
    return { exitCode, stdout, stderr };
  }

  test('over UDP is up, in both formats, also when the daemon is busy with others', async () => {
    await start(kind.example);
    expect(await ask()).toEqual(upFrom(UDP));
    expect(await ask('--format', 'rfc5424', '--priority', 'mail.err')).toEqual(upFrom(UDP));
    const [others, asked] = await Promise.all([
      namespace.exec('sh', [
        '-c',
        'for i in $(seq 100); do logger --server 127.0.0.1 --port 5514 --udp "message $i"; done',
      ]),
      ask(),
    ]);
    expect(others.exitCode).toBe(0);
    expect(asked).toEqual(upFrom(UDP));
  });

  test('of several probes at once is up for each', async () => {
    await start(kind.example);
    const asked = await Promise.all(Array.from({ length: 4 }, () => ask('--timeout', '5s')));
    expect(asked).toEqual(Array(4).fill(upFrom(UDP)));
  });

  test('over TCP is up, with line ends and with octet counting', async () => {
    await start(kind.tcp, 'tcp');
    expect(await ask('--send', TCP)).toEqual(upFrom(TCP));
    const counted = ['--send', kind.counted, '--format', 'rfc5424'];
    expect(await ask(...counted)).toEqual(upFrom(kind.counted));
  });

  test('that comes back over TCP is up, every time', async () => {
    await start(kind.backOverTcp);
    const back = 'tcp://127.0.0.1:5515';
    for (let pass = 0; pass < 3; pass += 1) {
      expect(await ask('--listen', back, '--timeout', '3s')).toEqual(upFrom(UDP, back));
    }
  });

  test('that comes back over TCP is up soon after a moment in which the daemon hung', async () => {
    const daemon = await start(kind.backOverTcp);
    const args = ['--listen', 'tcp://127.0.0.1:5515', '--timeout', '3s'];
    expect((await ask(...args)).exitCode).toBe(0);
    daemon.freeze();
    expect((await ask(...args)).exitCode).toBe(2);
    daemon.thaw();
    // What it got meanwhile goes to a listener that is gone.
    await sleep(500);
    await until('up again', async () => (await ask(...args)).exitCode === 0, { timeoutMs: 10_000 });
  });

  test('over the unix socket is up, and down when the daemon hangs or is gone', async () => {
    const daemon = await start(kind.unix, 'unix');
    const args = ['--send', `unix:${socketPath}`];
    expect(await ask(...args)).toEqual(upFrom(`unix:${socketPath}`));
    daemon.freeze();
    // More than the queue of a datagram socket takes (net.unix.max_dgram_qlen): logger blocks.
    for (let message = 0; message < 12; message += 1) {
      const full = await namespace.exec('timeout', ['0.3', 'logger', '-u', socketPath, 'x']);
      if (full.exitCode !== 0) break;
    }
    expect(await ask(...args)).toMatchObject({
      exitCode: 2,
      stdout: expect.stringMatching(/^down \(timeout\): unix:/) as unknown,
    });
    await daemon.stop();
    expect(await ask(...args)).toMatchObject({
      exitCode: 2,
      stdout: expect.stringMatching(
        /^down \(refused\): .*logger\(1\) says: (No such file or directory|Connection refused)\n$/,
      ) as unknown,
    });
  });

  test('that is configured to send elsewhere is down', async () => {
    await start(kind.misconfigured);
    expect(await ask()).toEqual({
      exitCode: 2,
      stdout: `down (timeout): ${UDP} to udp://127.0.0.1:5515: the message did not come back in time\n`,
      stderr: '',
    });
  });

  test('whose listener is taken is unknown', async () => {
    await start(kind.example);
    const holder = await namespace.spawn(process.execPath, [
      '-e',
      'require("dgram").createSocket("udp4").bind(5515, "127.0.0.1")',
    ]);
    await until('the port is taken', () => isListening(namespace, 'udp', '127.0.0.1:5515'));
    expect(await ask()).toEqual({
      exitCode: 69,
      stdout: 'unknown (port-in-use): listener udp://127.0.0.1:5515: address already in use\n',
      stderr: '',
    });
    holder.signal('SIGKILL');
    await holder.finished;
  });
});

describe('a framing that the driver of syslog-ng does not take', () => {
  test.each([
    ['lf', 'tcp://127.0.0.1:5516', 'octet-counting'],
    ['octet-counting', TCP, 'lf'],
  ])('%s to %s is a timeout that names %s', async (framing, target, other) => {
    const namespace = await Namespace.create();
    try {
      await startSyslogNg({
        namespace,
        folder: path.join(folder, 'framing', framing),
        configuration: syslogNgTcp,
        ready: () => isListening(namespace, 'tcp', '127.0.0.1:5516'),
      });
      const back = 'tcp://127.0.0.1:5515';
      const args = ['--send', target, '--listen', back, '--attempts', '1', '--framing'];
      const asked = await run('syslog-probe', [...args, framing, '--timeout', '500ms'], {
        namespace,
      });
      expect(asked.stdout).toBe(
        `down (timeout): ${target} to ${back}: the message did not come back in time (or the daemon expects --framing ${other})\n`,
      );
      const right = await run('syslog-probe', [...args, other, '--timeout', '3s'], { namespace });
      expect(right.exitCode).toBe(0);
    } finally {
      await namespace.dispose();
    }
  });
});

describe.each(KINDS)('the service address follows $name', (kind) => {
  let namespace: Namespace;
  let daemon: Daemon;

  beforeAll(async () => {
    namespace = await Namespace.create();
    daemon = await kind.start({
      namespace,
      folder: path.join(folder, `${kind.name}-address`),
      configuration: kind.example,
      ready: () => isListening(namespace, 'udp', '127.0.0.1:5514'),
    });
  });
  afterAll(async () => {
    await namespace.dispose();
  });

  async function pass(...more: readonly string[]): Promise<number | null> {
    const states = path.join(folder, `${kind.name}-state`);
    const args = [
      ...['--address', '192.0.2.1', '--address', '2001:db8::1'],
      ...['--state-dir', states, '--persist-dir', path.join(states, 'persist')],
      ...['--retry-delay', '50ms', '--drain', '0s'],
    ];
    return (await run('syslog-probe', [...args, ...more], { namespace })).exitCode;
  }

  /** Two passes, so that rise and fall are reached. */
  async function passes(
    ...more: readonly string[]
  ): Promise<{ exits: (number | null)[]; kernel: string[] }> {
    const exits = [await pass(...more), await pass(...more)];
    return { exits, kernel: await namespace.serviceAddresses() };
  }
  const UP = { exits: [0, 0], kernel: ['192.0.2.1/32', '2001:db8::1/128'] };
  const DOWN = { exits: [2, 2], kernel: [] };

  test('up, frozen and thawed, stopped and started again, and asked at a wrong port', async () => {
    expect(await passes()).toEqual(UP);
    daemon.freeze();
    expect(await passes()).toEqual(DOWN);
    daemon.thaw();
    // It first sends on what it got while it was frozen, to probes that are gone.
    await until('up again', async () => (await pass()) === 0);
    expect(await passes()).toEqual(UP);
    await daemon.stop();
    expect(await passes()).toEqual(DOWN);
    await daemon.restart();
    expect(await passes()).toEqual(UP);
    await daemon.kill();
    expect(await passes()).toEqual(DOWN);
    await daemon.restart();
    expect(await passes('--send', 'udp://127.0.0.1:5598')).toEqual(DOWN);
    expect(await passes()).toEqual(UP);
  });
});

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Child } from '../support/child.ts';
import { DnsSite } from '../support/dns-site.ts';
import { ROOT, run, start } from '../support/executable.ts';
import { Namespace } from '../support/namespace.ts';
import { startUnbound } from '../support/service-daemons.ts';
import { until } from '../support/until.ts';

const V4 = '192.0.2.1';
const V6 = '2001:db8::1';
const BOTH = ['-a', V4, '-a', V6];

/** What `query-stream.mjs` tells at its end. */
interface Stream {
  readonly asked: number;
  readonly answered: number;
  readonly lostAtMs: readonly number[];
}

let site: DnsSite;
let client: Namespace;
beforeEach(async () => {
  // It listens on wildcard sockets, as most resolvers do: nothing lets it answer from an address that
  // the node does not have.
  site = await DnsSite.create(startUnbound);
  client = await Namespace.create();
  await site.namespace.ip(`link add veth0 type veth peer name veth1 netns ${client.name}`);
  for (const [namespace, device, number] of [
    [site.namespace, 'veth0', 1],
    [client, 'veth1', 2],
  ] as const) {
    await namespace.ip(`address add 203.0.113.${number}/24 dev ${device}`);
    await namespace.ip(`-6 address add 2001:db8:5::${number}/64 dev ${device} nodad`);
    await namespace.ip(`link set ${device} up`);
  }
  // The network as it is while the routing protocol has not heard of the withdrawal yet.
  await client.ip(`route add ${V4}/32 via 203.0.113.1`);
  await client.ip(`-6 route add ${V6}/128 via 2001:db8:5::1`);
  await site.advertise(BOTH);
});
afterEach(async () => {
  await client.dispose();
  await site.dispose();
});

async function startStream(transport: 'udp' | 'tcp', address: string): Promise<Child> {
  const args = [path.join(ROOT, 'test/support/query-stream.mjs'), transport, address, '5'];
  const stream = await client.spawn(
    'sh',
    ['-c', 'sleep 600 | exec "$0" "$@"', process.execPath, ...args],
    {
      group: true,
      timeoutMs: 60_000,
    },
  );
  await until(`answers over ${transport} from ${address}`, () => stream.output.includes('ready'));
  return stream;
}

/** Ends a stream's stdin, and waits for what it has to tell. */
async function endStream(stream: Child): Promise<Stream> {
  await client.exec('pkill', ['-g', String(stream.pid), '-x', 'sleep']);
  const { stdout } = await stream.finished;
  return JSON.parse(stdout.replace('ready\n', '')) as Stream;
}

const STREAMS = [
  ['udp', V4],
  ['udp', V6],
  ['tcp', V4],
  ['tcp', V6],
] as const;

/** Without the address the kernel lets no wildcard socket answer over UDP and IPv6. */
const BY_LOCAL_ROUTE = STREAMS.filter((stream) => stream.join(' ') !== `udp ${V6}`);

/** Runs something while a client asks over and over, and returns the streams that lost answers. */
async function whileAsking(
  work: () => Promise<unknown>,
  asked: readonly (readonly ['udp' | 'tcp', string])[] = STREAMS,
): Promise<readonly string[]> {
  const streams = await Promise.all(
    asked.map(([transport, address]) => startStream(transport, address)),
  );
  await work();
  const ended = await Promise.all(streams.map(endStream));
  return ended.flatMap(({ asked: count, answered, lostAtMs }, index) => {
    expect(count).toBeGreaterThan(50);
    const name = asked[index]?.join(' ') ?? '';
    return answered === count
      ? []
      : [`${name}: ${lostAtMs.length} of ${count}, asked at ${lostAtMs.join(' ')}`];
  });
}

/** Whether the service addresses are on the drain interface, and on it alone. */
async function haveMoved(): Promise<boolean> {
  const moved = Object.keys(await site.moved());
  return moved.length === 2 && (await site.namespace.serviceAddresses()).length === 0;
}

/** A pass that asks a port where nobody answers, not even with a refusal. */
async function startHungPass(...args: readonly string[]): Promise<Child> {
  const hung = ['--server', '203.0.113.77', '--timeout', '10s', '--attempts', '1'];
  const child = await site.startProbe([...BOTH, ...args, ...hung]);
  await until('the lock', () => site.stateFiles().includes('dns-probe.lock'));
  return child;
}

async function asksInVain(): Promise<boolean> {
  const late = await client.exec('dig', ['+time=1', '+tries=1', `@${V4}`, '.', 'SOA']);
  return late.exitCode === 9;
}

/** What any routing table still says of the service addresses. */
async function leftRoutes(): Promise<readonly string[]> {
  const tables = await Promise.all(
    ['-4', '-6'].map((family) => site.namespace.ip(`${family} route show table all`)),
  );
  // One that has expired counts for nothing, and the kernel clears it away some time later.
  const lines = tables
    .join('')
    .split('\n')
    .filter((line) => !line.includes('expires -'));
  return lines.filter((line) => line.includes(`${V4} `) || line.includes(`${V6} `));
}

function startSuspend(...args: readonly string[]): Promise<Child> {
  return start('ha-suspend', site.args(['dns-probe', ...args]), { namespace: site.namespace });
}

describe('a planned withdrawal', () => {
  test('moves the addresses to the drain interface, then answers without them, and loses nothing', async () => {
    const pass: { child?: Child } = {};
    const lost = await whileAsking(async () => {
      pass.child = await site.startProbe([...BOTH, '--withdraw', '--drain', '14s']);
      await until('the move', haveMoved);
      for (const seconds of Object.values(await site.moved()))
        expect(seconds).toBeLessThanOrEqual(7);
      expect(await site.drained()).toHaveLength(2);
      await sleep(500);
    });
    expect(lost).toEqual([]);
    expect(await haveMoved()).toBe(true); // the streams ended within the first half
    const lostLater = await whileAsking(async () => {
      await until(
        'the end of the first half',
        async () => Object.keys(await site.moved()).length === 0,
      );
      await sleep(500);
    }, BY_LOCAL_ROUTE);
    expect(lostLater).toEqual([]);
    expect(await site.drained()).toHaveLength(2); // these ended within the drain
    expect(await pass.child?.finished).toMatchObject({ exitCode: 0 });
    expect(await site.drained()).toEqual([]);
    // Now nobody answers here any more, and the client is told or hears nothing.
    expect(await asksInVain()).toBe(true);
    expect(await leftRoutes()).toEqual([]);
  });

  test('by SIGTERM moves them and does not wait: the kernel ends it', async () => {
    await site.probe(BOTH);
    const lost = await whileAsking(async () => {
      const pass = await startHungPass('--drain', '6s');
      pass.signal('SIGTERM');
      expect(await pass.finished).toMatchObject({ exitCode: 0, stdout: '' });
      expect(await haveMoved()).toBe(true);
      expect(await site.drained()).toEqual([]);
      await sleep(500);
    });
    expect(lost).toEqual([]);
    expect(await haveMoved()).toBe(true); // the streams ended within its time
    await until('the end', async () => Object.keys(await site.moved()).length === 0);
    expect(await asksInVain()).toBe(true);
    expect(await leftRoutes()).toEqual([]);
  });

  test('without a drain interface answers through local routes alone, also after SIGTERM', async () => {
    await site.probe(BOTH);
    const pass: { child?: Child } = {};
    const lost = await whileAsking(async () => {
      pass.child = await startHungPass('--drain', '6s', '--drain-interface', '');
      pass.child.signal('SIGTERM');
      await until('the drain', async () => (await site.drained()).length === 2);
      expect(await site.namespace.serviceAddresses()).toEqual([]);
      expect(await site.moved()).toEqual({});
      await sleep(1500);
    }, BY_LOCAL_ROUTE);
    expect(lost).toEqual([]);
    expect(await site.drained()).toHaveLength(2);
    expect(await pass.child?.finished).toMatchObject({ exitCode: 0 });
    expect(await site.drained()).toEqual([]);
    expect(await asksInVain()).toBe(true);
  });

  test('whose pass is killed with -9 is ended by the kernel, and cleaned up by the next pass', async () => {
    const pass = await site.startProbe([...BOTH, '--withdraw', '--drain', '2s']);
    await until('the move', haveMoved);
    pass.signal('SIGKILL');
    await pass.finished;
    await until(
      'the end of the first half',
      async () => Object.keys(await site.moved()).length === 0,
    );
    expect(await site.drained()).toHaveLength(2);
    await sleep(1100);
    const down = ['--server', '203.0.113.77', '--timeout', '100ms', '--attempts', '1'];
    expect((await site.probe([...BOTH, ...down])).exitCode).toBe(2);
    expect(await site.drained()).toEqual([]);
    expect(await leftRoutes()).toEqual([]);
  });

  test.each([
    ['first', '30s', STREAMS, haveMoved],
    ['second', '2s', BY_LOCAL_ROUTE, async () => Object.keys(await site.moved()).length === 0],
  ] as const)(
    'that ends in its %s half because the service returns loses no answer',
    async (_, drain, asked, half) => {
      const pass = await site.startProbe([...BOTH, '--withdraw', '--drain', drain]);
      await until('the withdrawal', async () => (await site.drained()).length === 2);
      pass.signal('SIGKILL');
      await pass.finished;
      await until('its half', half);
      const lost = await whileAsking(async () => {
        const { exitCode, stderr } = await site.probe([...BOTH, '--rise', '1']);
        expect({ exitCode, lines: stderr.split('\n').length }).toEqual({ exitCode: 0, lines: 2 });
        expect(await site.drained()).toEqual([]);
        expect(await site.moved()).toEqual({});
        expect(await site.namespace.serviceAddresses()).toHaveLength(2);
        await sleep(500);
      }, asked);
      expect(lost).toEqual([]);
      for (const [family, address] of [
        ['-4', V4],
        ['-6', V6],
      ] as const) {
        const routes = await site.namespace.ip(`${family} route show table local ${address}`);
        expect(routes).toMatch(/^local \S+ dev lo .*proto kernel/);
        expect(routes.trim().split('\n')).toHaveLength(1);
      }
    },
  );

  test.each(['first', 'second'])(
    'ends at once when the service is seen down in its %s half',
    async (half) => {
      const suspend = await startSuspend('--drain', half === 'first' ? '30s' : '6s');
      await until('the move', haveMoved);
      if (half === 'second') {
        await until('its end', async () => Object.keys(await site.moved()).length === 0);
      }
      expect(await site.drained()).toHaveLength(2);
      await site.server.kill();
      const { exitCode, stderr } = await site.probe(BOTH);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      expect(await site.moved()).toEqual({});
      expect(await site.drained()).toEqual([]);
      expect(await leftRoutes()).toEqual([]);
      suspend.signal('SIGINT'); // cuts short what there is to wait for
      await suspend.finished;
    },
  );

  test('is joined by a second one, which does not make it longer', async () => {
    const first = await startSuspend('--drain', '4s');
    await until('the move', haveMoved);
    const until1 = site.state().drain?.untilMs;
    const second = await startSuspend('--by', 'upgrade', '--drain', '30s');
    expect(await first.finished).toMatchObject({ exitCode: 0 });
    expect(await second.finished).toMatchObject({ exitCode: 0 });
    expect(until1).toBeGreaterThan(0);
    expect(await site.drained()).toEqual([]);
    expect(site.state().drain).toBeNull();
  });

  test('moves a thousand addresses at once', async () => {
    const many = Array.from({ length: 1000 }, (_, index) =>
      index % 2 === 0
        ? `192.0.${2 + Math.floor(index / 256)}.${index % 256}`
        : `2001:db8:7::${index.toString(16)}`,
    );
    const args = ['-i', 'many', ...many.flatMap((address) => ['-a', address])];
    await site.advertise(args);
    expect(await site.namespace.serviceAddresses()).toHaveLength(1002);
    const pass = await site.startProbe([...args, '--withdraw', '--drain', '16s']);
    await until('the move', async () => Object.keys(await site.moved()).length === 1000);
    expect(await site.namespace.serviceAddresses()).toHaveLength(2);
    expect(await pass.finished).toMatchObject({
      exitCode: 0,
      stderr: expect.stringMatching(/^\S+: many: down: withdrew [^\n]*\n$/) as string,
    });
    expect(await site.moved()).toEqual({});
    expect(await site.drained()).toEqual([]);
  });

  test('that lasts longer than the lease, or begins long after it, leaves nothing either', async () => {
    const short = ['--lease', '2s', '--withdraw', '--drain', '3s'];
    await site.advertise([...BOTH, '--lease', '2s']);
    expect((await site.probe([...BOTH, ...short])).exitCode).toBe(0);
    expect(await site.drained()).toEqual([]);
    expect(site.stateFiles()).not.toContain('dns-probe.json');
    await site.advertise([...BOTH, '--lease', '2s']);
    await sleep(2500); // no pass comes any more, and the kernel has taken the addresses out
    expect((await site.probe([...BOTH, ...short])).exitCode).toBe(0);
    expect(await site.drained()).toEqual([]);
    expect(site.stateFiles()).not.toContain('dns-probe.json');
  });

  test('of an address that the configuration gives up is drained, and told', async () => {
    const file = path.join(site.folder, 'given.toml');
    const write = (...addresses: readonly string[]): void => {
      writeFileSync(file, `rise = 1\ndrain = "2s"\naddress = ${JSON.stringify(addresses)}\n`);
    };
    await site.probe([...BOTH, '--withdraw', '--drain', '0']);
    write(V4, V6);
    await site.probe(['--config', file]);
    write(V6);
    const given = await site.probe(['--config', file]);
    expect(given).toMatchObject({ exitCode: 0, stdout: '' });
    expect(given.stderr).toBe(
      `dns-probe: given: withdrew ${V4}/32 dev lo: the configuration does not name it any more\n`,
    );
    expect(await site.namespace.serviceAddresses()).toEqual([`${V6}/128`]);
    expect(await site.drained()).toEqual([V4]);
    expect(Object.keys(await site.moved())).toEqual([V4]);
    expect((await site.probe(['--config', file])).stderr).toBe('');
    expect(await site.drained()).toEqual([V4]); // a pass that finds the other one well does not end it
    await sleep(2100);
    expect((await site.probe(['--config', file])).stderr).toBe('');
    expect(await site.drained()).toEqual([]);
    expect(await site.namespace.serviceAddresses()).toEqual([`${V6}/128`]);
  });

  test('without drain leaves no route, and moves nothing', async () => {
    await site.probe([...BOTH, '--withdraw', '--drain', '0']);
    expect(await site.drained()).toEqual([]);
    expect(await site.moved()).toEqual({});
    expect(await leftRoutes()).toEqual([]);
  });

  test("never touches a local route of somebody else's, nor the kernel's own", async () => {
    await site.namespace.ip('address add 198.51.100.9/32 dev lo');
    await site.namespace.ip(`route add local 198.51.100.10 dev lo table local proto 77 metric 1`);
    const shown = (): Promise<string> => site.namespace.ip('route show table local');
    const kernel = (await shown()).split('\n').filter((line) => !line.includes(V4));
    await site.probe([...BOTH, '--withdraw', '--drain', '100ms']);
    expect((await shown()).split('\n')).toEqual(kernel);
  });
});

describe('the drain interface', () => {
  test('is made by the pass that adds, with no address of its own, and stays', async () => {
    const link = await site.namespace.ip('-details link show dev ha-drain');
    expect(link).toMatch(/<[A-Z,_]*\bUP\b/);
    expect(link).toContain('addrgenmode none');
    expect(await site.moved()).toEqual({});
    await site.probe([...BOTH, '--withdraw', '--drain', '100ms']);
    expect(await site.namespace.ip('-brief link show dev ha-drain')).toContain('ha-drain');
  });

  test('is made again by whoever withdraws, should it be gone', async () => {
    await site.namespace.ip('link delete dev ha-drain');
    const suspend = await startSuspend('--drain', '2s');
    await until('the move', haveMoved);
    expect(await suspend.finished).toMatchObject({ exitCode: 0 });
  });

  test('that is down is warned of: the drain goes on without it', async () => {
    await site.namespace.ip('link set dev ha-drain down');
    const suspended = await run('ha-suspend', site.args(['dns-probe', '--drain', '1s']), {
      namespace: site.namespace,
    });
    expect(suspended.exitCode).toBe(0);
    expect(await site.drained()).toEqual([]);
    expect(await leftRoutes()).toEqual([]);
  });

  test('is shown by ha-status while an address is on it, which is no copy of it', async () => {
    const suspend = await startSuspend('--drain', '8s');
    await until('the move', haveMoved);
    const status = await run('ha-status', site.args([]), { namespace: site.namespace });
    expect(status).toMatchObject({ exitCode: 0, stderr: '' });
    expect(status.stdout).toContain(`~ ${V4}/32 dev ha-drain on its way out\n`);
    expect(status.stdout).toContain('draining for ');
    expect((await site.probe(BOTH)).stderr).toBe('');
    expect(await haveMoved()).toBe(true); // a pass of a suspended instance leaves it there
    suspend.signal('SIGINT');
    await suspend.finished;
  });

  test('that carries the address beside lo loses it with the next pass', async () => {
    await site.namespace.ip(`address add ${V4}/32 dev ha-drain`);
    expect(await site.probe(BOTH)).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await site.moved()).toEqual({});
    expect(await site.namespace.serviceAddresses()).toHaveLength(2);
  });

  test('must not be the one that carries the addresses', async () => {
    expect(await site.probe([...BOTH, '--interface', 'ha-drain'])).toMatchObject({
      exitCode: 64,
      stderr: "dns-probe: --drain-interface: 'ha-drain' is where the addresses are\n",
    });
  });

  test("without valid state is swept of what is ours or nobody's", async () => {
    await site.advertise(['-i', 'other', '-a', '198.51.100.10']);
    await site.namespace.ip('address delete 198.51.100.10/32 dev lo');
    for (const address of [V4, '198.51.100.10', '198.51.100.11']) {
      await site.namespace.ip(`address add ${address}/32 dev ha-drain`);
    }
    await site.namespace.exec('rm', [site.statePath()]);
    expect((await site.probe(BOTH)).exitCode).toBe(0);
    expect(Object.keys(await site.moved())).toEqual(['198.51.100.10']);
    expect(await site.namespace.serviceAddresses()).toHaveLength(2);
  });
});

describe('a drain route that was left behind', () => {
  beforeEach(async () => {
    for (const address of [V4, '198.51.100.10']) {
      await site.namespace.ip(`route add local ${address} dev lo table local proto 120 metric 1`);
    }
  });

  test('is swept by a pass without valid state, while the address answers on', async () => {
    await site.namespace.exec('rm', [site.statePath()]);
    expect((await site.probe(BOTH)).exitCode).toBe(0);
    expect(await site.drained()).toEqual([]);
    expect(await site.namespace.serviceAddresses()).toHaveLength(2);
    const answer = await client.exec('dig', ['+short', '+time=2', `@${V4}`, '.', 'SOA']);
    expect(answer.stdout).toContain('a. b. 0');
  });

  test("of another instance's address is left to that instance", async () => {
    await site.advertise(['-i', 'other', '-a', '198.51.100.10']);
    await site.namespace
      .ip('route add local 198.51.100.10 dev lo table local proto 120 metric 1')
      .catch(
        () => undefined, // there already
      );
    await site.namespace.exec('rm', [site.statePath()]);
    await site.probe(BOTH);
    expect(await site.drained()).toEqual(['198.51.100.10']);
  });
});

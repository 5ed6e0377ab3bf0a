import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Child } from '../support/child.ts';
import { DnsSite } from '../support/dns-site.ts';
import { ROOT } from '../support/executable.ts';
import { Namespace } from '../support/namespace.ts';
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
  site = await DnsSite.create(V4, V6);
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

/** Runs something while a client asks over and over, and returns the streams that lost answers. */
async function whileAsking(work: () => Promise<unknown>): Promise<readonly string[]> {
  const streams = await Promise.all(
    STREAMS.map(([transport, address]) => startStream(transport, address)),
  );
  await work();
  const ended = await Promise.all(streams.map(endStream));
  return ended.flatMap(({ asked, answered, lostAtMs }, index) => {
    expect(asked).toBeGreaterThan(50);
    const name = STREAMS[index]?.join(' ') ?? '';
    return answered === asked
      ? []
      : [`${name}: ${lostAtMs.length} of ${asked}, asked at ${lostAtMs.join(' ')}`];
  });
}

describe('a planned withdrawal', () => {
  test.each([
    ['--withdraw', ['--withdraw']],
    ['SIGTERM', []],
  ] as const)('by %s loses no answer before the drain is over', async (by, mode) => {
    if (by === 'SIGTERM') await site.probe(BOTH);
    const args = [...BOTH, ...mode, '--drain', '6s', '--timeout', '10s', '--attempts', '1'];
    // The pass that gets SIGTERM asks a port where nobody answers, not even with a refusal.
    const hung = ['--server', '203.0.113.77'];
    const pass: { child?: Child } = {};
    const lost = await whileAsking(async () => {
      const child = await site.startProbe(by === 'SIGTERM' ? [...args, ...hung] : args);
      pass.child = child;
      if (by === 'SIGTERM') {
        await until('the lock', () => site.stateFiles().includes('dns-probe.lock'));
        child.signal('SIGTERM');
      }
      await until('the drain', async () => (await site.drained()).length === 2);
      expect(await site.namespace.serviceAddresses()).toEqual([]);
      await sleep(1500);
    });
    expect(lost).toEqual([]);
    expect(await site.drained()).toHaveLength(2); // the streams ended within the drain
    expect(await pass.child?.finished).toMatchObject({ exitCode: 0 });
    expect(await site.drained()).toEqual([]);
    // Now nobody answers here any more, and the client is told or hears nothing.
    const late = await client.exec('dig', ['+time=1', '+tries=1', `@${V4}`, '.', 'SOA']);
    expect(late.exitCode).toBe(9);
  });

  test('that ends because the service returns loses no answer either', async () => {
    const pass = await site.startProbe([...BOTH, '--withdraw', '--drain', '10m']);
    await until('the drain', async () => (await site.drained()).length === 2);
    const lost = await whileAsking(async () => {
      const { exitCode } = await site.probe([...BOTH, '--rise', '1']);
      expect(exitCode).toBe(0);
      expect(await site.drained()).toEqual([]);
      expect(await site.namespace.serviceAddresses()).toHaveLength(2);
      await sleep(500);
    });
    expect(lost).toEqual([]);
    for (const [family, address] of [
      ['-4', V4],
      ['-6', V6],
    ] as const) {
      const routes = await site.namespace.ip(`${family} route show table local ${address}`);
      expect(routes).toMatch(/^local \S+ dev lo .*proto kernel/);
      expect(routes.trim().split('\n')).toHaveLength(1);
    }
    pass.signal('SIGKILL');
    await pass.finished;
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
    expect((await site.probe(['--config', file])).stderr).toBe('');
    expect(await site.drained()).toEqual([V4]); // a pass that finds the other one well does not end it
    await sleep(2100);
    expect((await site.probe(['--config', file])).stderr).toBe('');
    expect(await site.drained()).toEqual([]);
    expect(await site.namespace.serviceAddresses()).toEqual([`${V6}/128`]);
  });

  test('without drain leaves no route', async () => {
    await site.probe([...BOTH, '--withdraw', '--drain', '0']);
    expect(await site.drained()).toEqual([]);
    for (const family of ['-4', '-6']) {
      const routes = await site.namespace.ip(`${family} route show table all`);
      expect(routes).not.toContain(V4);
      expect(routes).not.toContain(V6);
    }
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

import { cpSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ROOT, start } from '../support/executable.ts';
import { RouteSite } from '../support/route-site.ts';
import { until } from '../support/until.ts';

const V4 = '192.0.2.153';
const V6 = '2001:db8::153';
const SEED = ['bond0', V4, '80', '443'];
const AT_ONCE = ['--rise', '1', '--fall', '1', '--attempts', '1'];

let site: RouteSite;
beforeEach(async () => {
  site = await RouteSite.create([V4, V6]);
});
afterEach(async () => {
  await site.dispose();
});

/** One pass that decides at once. */
function pass(...args: readonly string[]): ReturnType<RouteSite['probe']> {
  return site.probe([...AT_ONCE, ...args]);
}

describe.each([
  ['IPv4', V4],
  ['IPv6', V6],
])('the host route to an %s address', (_, address) => {
  test('comes after the rise, goes after the fall, and each change is one line', async () => {
    const target = ['bond0', address, '80', '443'];
    const listeners = await site.listen('80', '443');
    expect(await site.probe(target)).toMatchObject({ exitCode: 0, stdout: '' });
    expect(await site.routes(address)).toEqual([]);
    const up = await site.probe(target);
    expect(up).toMatchObject({ exitCode: 0, stdout: '' });
    expect(up.stderr).toMatch(
      /^tcp-route-probe: [^\n]*up: advertising [^\n]+ dev bond0: [^\n]+\n$/,
    );
    expect(await site.routes(address)).toMatchObject([
      { dst: address, dev: 'bond0', protocol: '121' },
    ]);
    expect(await site.probe(target)).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });

    listeners.signal('SIGKILL');
    await listeners.finished;
    await site.listen('80');
    expect(await site.probe(target)).toMatchObject({ exitCode: 2, stderr: '' });
    expect(await site.routes(address)).toHaveLength(1);
    const down = await site.probe(target);
    expect(down).toMatchObject({ exitCode: 2, stdout: '' });
    expect(down.stderr).toMatch(
      /down: withdrew [^\n]+: refused: [^\n]+:443: connection refused\n$/,
    );
    expect(await site.routes(address)).toEqual([]);
  });

  test('is removed by --withdraw, together with claim and state', async () => {
    await site.listen('80');
    await pass('bond0', address, '80');
    expect(await site.probe(['--withdraw', 'bond0', address, '80'])).toMatchObject({ exitCode: 0 });
    expect(await site.routes(address)).toEqual([]);
    const other = await pass('-i', 'other', 'bond0', address, '80');
    expect(other).toMatchObject({ exitCode: 0 });
    expect(await site.routes(address)).toHaveLength(1);
  });
});

describe('the ports', () => {
  test('are all needed, or any of them', async () => {
    await site.listen('80');
    expect(await pass(...SEED)).toMatchObject({ exitCode: 2 });
    expect(await pass('--require', 'any', ...SEED)).toMatchObject({ exitCode: 0 });
    expect(await site.routes(V4)).toHaveLength(1);
  });

  test('that are filtered end at the timeout, all at once', async () => {
    await site.listen('80');
    const filtered = ['81', '82', '83', '84', '85', '86'];
    for (const port of filtered) await site.filter(Number(port));
    const begin = performance.now();
    const run = await pass('--timeout', '1500ms', '--json', 'bond0', V4, '80', ...filtered);
    expect(performance.now() - begin).toBeLessThan(6000); // one after the other: 9 s
    expect(run.exitCode).toBe(2);
    expect(JSON.parse(run.stdout)).toMatchObject({ verdict: 'down', reason: 'timeout' });
    const begun = performance.now();
    const any = await pass('--timeout', '15s', '--require', 'any', 'bond0', V4, '80', ...filtered);
    expect(any.exitCode).toBe(0);
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  test('see their connections closed in order, also those that greet', async () => {
    const listeners = await site.listen('25!', '80');
    expect(await pass('bond0', V4, '25', '80')).toMatchObject({ exitCode: 0 });
    await until(
      'both closed',
      () => /25 \w+\n/.test(listeners.output) && /80 \w+\n/.test(listeners.output),
    );
    expect(listeners.output).toContain('25 closed\n');
    expect(listeners.output).toContain('80 closed\n');
  });

  test('of a host that is not there are down', async () => {
    await site.far.ip(`address delete ${V4}/32 dev far0`);
    await site.far.ip('route add unreachable 192.0.2.153/32');
    await site.far.exec('sysctl', ['-qw', 'net.ipv4.ip_forward=1']);
    const run = await pass('--json', ...SEED);
    expect(JSON.parse(run.stdout)).toMatchObject({ verdict: 'down', reason: 'unreachable' });
  });
});

describe('the route is made as asked', () => {
  test('with metric, table, gateway and source', async () => {
    await site.listen('80', '443');
    const how = ['--metric', '7', '--table', '100', '--via', '198.18.0.2', '--src', '198.18.0.1'];
    expect(await pass(...how, ...SEED)).toMatchObject({ exitCode: 0 });
    expect(await site.routes(V4)).toMatchObject([
      { dev: 'bond0', gateway: '198.18.0.2', metric: 7, table: '100', prefsrc: '198.18.0.1' },
    ]);
    const six = ['--metric', '7', '--via', '2001:db8:f::2', '--src', '2001:db8:f::1'];
    expect(await pass(...six, 'bond0', V6, '80')).toMatchObject({ exitCode: 0 });
    expect(await site.routes(V6)).toMatchObject([
      { dev: 'bond0', gateway: '2001:db8:f::2', metric: 7, prefsrc: '2001:db8:f::1' },
    ]);
  });

  test.each([
    ['a metric', ['--metric', '7'], { metric: 7 }],
    ['a gateway', ['--via', '198.18.0.2'], { gateway: '198.18.0.2' }],
    ['a table', ['--table', '100'], { table: '100' }],
  ])('and is the only one when %s is changed', async (_, change, shown) => {
    await site.listen('80', '443');
    await pass(...SEED);
    expect(await pass(...change, ...SEED)).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await site.routes(V4)).toMatchObject([shown]);
    expect(await site.routes(V4)).toHaveLength(1);
    expect(await pass(...SEED)).toMatchObject({ exitCode: 0, stderr: '' });
    const [route] = await site.routes(V4);
    expect(route).not.toHaveProperty(Object.keys(shown)[0] ?? '');
  });

  test('and moves when its configuration names another interface', async () => {
    await site.listen('80', '443');
    await site.node.ip('link add bond1 type veth peer name other1');
    for (const device of ['bond1', 'other1']) await site.node.ip(`link set ${device} up`);
    const file = (device: string): string =>
      `interface = "${device}"\naddress = "${V4}"\nport = [80, 443]\n`;
    const conf = site.configure({ 'web.toml': file('bond0') });
    await pass('--config', conf);
    site.configure({ 'web.toml': file('bond1') });
    expect(await pass('--config', conf)).toMatchObject({ exitCode: 0 });
    expect(await site.routes(V4)).toMatchObject([{ dev: 'bond1' }]);
    // Nothing answers there: it goes again, rather than being taken out as a left-over.
    const down = await pass('--timeout', '300ms', '--config', conf);
    expect(down.stderr).toContain('down: withdrew');
    expect(await site.routes(V4)).toEqual([]);
  });
});

describe("a route of somebody else's", () => {
  test('is never touched: a warning, once, while the service is up', async () => {
    await site.listen('80', '443');
    await site.node.ip(`route add ${V4} dev bond0 proto static metric 50`);
    const before = await site.routes(V4);
    const first = await pass(...SEED);
    expect(first).toMatchObject({ exitCode: 0 });
    expect(first.stderr).toContain(
      `somebody else advertises ${V4}: ${V4}/32 dev bond0 proto static`,
    );
    expect(await pass(...SEED)).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await site.routes(V4)).toEqual(before);
    await site.probe(['--withdraw', ...SEED]);
    expect(await site.routes(V4)).toEqual(before);
  });

  test('is the kernel not doing what it should while the service is down: exit 71', async () => {
    await site.node.ip(`route add ${V4} dev bond0`);
    const before = await site.routes(V4);
    const run = await pass(...SEED);
    expect(run.exitCode).toBe(71);
    expect(run.stderr).toContain(`${V4} stays advertised: ${V4}/32 dev bond0 proto boot`);
    expect(await site.routes(V4)).toEqual(before);
  });

  test('beside ours outlives it', async () => {
    await site.listen('80', '443');
    await pass(...SEED);
    await site.node.ip(`route add ${V4} dev bond0 proto static metric 50`);
    await site.filter(80);
    expect(await pass('--timeout', '300ms', ...SEED)).toMatchObject({ exitCode: 71 });
    expect(await site.routes(V4)).toMatchObject([{ protocol: 'static' }]);
  });

  test.each([
    ['a next hop of ours', '2001:db8:f::2'],
    ['a route of ours without a gateway', undefined],
  ])('appended to %s outlives its renewals, its moves and its end', async (_, via) => {
    await site.listen('80');
    await site.far.ip('address add 2001:db8:f::9/64 dev far0 nodad');
    const target = [...(via === undefined ? [] : ['--via', via]), 'bond0', V6, '80'];
    await pass('--lease', '100s', ...target);
    await site.node.ip(`-6 route append ${V6} via 2001:db8:f::9 dev bond0 proto static`);
    /** Every next hop to the address, with what the kernel says of its lifetime. */
    const hops = async (): Promise<readonly [string | undefined, number][]> =>
      (await site.routes(V6)).flatMap((route): readonly [string | undefined, number][] =>
        (route.nexthops ?? [route]).map(({ gateway }) => [gateway, route.expires ?? 0]),
      );
    expect((await hops()).map(([gateway]) => gateway)).toEqual([via, '2001:db8:f::9']);

    const renewed = await pass('--lease', '200s', ...target);
    expect(renewed).toMatchObject({ exitCode: 0 });
    expect(renewed.stderr).toContain(`somebody else advertises ${V6}: `);
    expect(renewed.stderr).not.toContain('nothing added');
    expect((await hops())[0]?.[1]).toBeGreaterThan(150);
    expect((await hops()).map(([gateway]) => gateway)).toEqual([via, '2001:db8:f::9']);

    // Ours stands behind theirs then, where ip(8) does not show whose it is.
    const moved = ['--via', '2001:db8:f::1:2', 'bond0', V6, '80'];
    await site.far.ip('address add 2001:db8:f::1:2/64 dev far0 nodad');
    for (const _round of [1, 2]) {
      expect(await pass('--lease', '200s', ...moved)).toMatchObject({ exitCode: 0 });
      const gateways = (await hops()).map(([gateway]) => gateway);
      expect(gateways).toEqual(['2001:db8:f::9', '2001:db8:f::1:2']);
    }
    const gone = await site.probe(['--withdraw', ...moved]);
    expect(gone).toMatchObject({ exitCode: 0 });
    expect(await site.routes(V6)).toMatchObject([{ gateway: '2001:db8:f::9', protocol: 'static' }]);
  });

  test("that a routing daemon learned from a neighbour is nobody's in our way", async () => {
    await site.listen('80', '443');
    await site.node.ip(`route add ${V4} via 198.18.0.2 dev bond0 proto ospf metric 20`);
    expect(await pass(...SEED)).toMatchObject({ exitCode: 0 });
    const protocols = (await site.routes(V4)).map(({ protocol }) => protocol);
    expect(protocols.sort()).toEqual(['121', 'ospf']);
    await site.probe(['--withdraw', ...SEED]);
    expect(await site.routes(V4)).toMatchObject([{ protocol: 'ospf' }]);
  });
});

describe('an interface', () => {
  test('that is missing is unknown', async () => {
    const run = await pass('--json', 'bond7', V4, '80');
    expect(run.exitCode).toBe(69);
    expect(JSON.parse(run.stdout)).toMatchObject({
      verdict: 'unknown',
      reason: 'no-interface',
      detail: 'interface bond7 is missing',
    });
  });

  test('that goes down takes the route with it, is unknown, and brings it back', async () => {
    await site.listen('80', '443');
    await pass(...SEED);
    await site.node.ip('link set bond0 down');
    expect(await site.routes(V4)).toEqual([]);
    const down = await pass(...SEED);
    expect(down.exitCode).toBe(69);
    expect(down.stderr).toContain('is gone from the kernel');
    await site.node.ip('link set bond0 up');
    await site.node.ip('address replace 2001:db8:f::1/64 dev bond0 nodad');
    await site.addWayOut();
    expect(await pass(...SEED)).toMatchObject({ exitCode: 0 });
    expect(await site.routes(V4)).toMatchObject([{ protocol: '121' }]);
  });
});

describe('the path of the handshakes', () => {
  test('is warned about, once, where it is not through the interface', async () => {
    await site.listen('80', '443');
    await site.node.ip('link add bond1 type veth peer name other1');
    await site.node.ip('link set bond1 up');
    const dry = await site.probe(['-i', 'x', '--fall', '9', 'bond1', V4, '80', '443']);
    expect(dry.stderr).toContain(`handshakes with ${V4} leave through bond0, not bond1`);
    const again = await site.probe([
      '-i',
      'x',
      '--fall',
      '9',
      '--rise',
      '9',
      'bond1',
      V4,
      '80',
      '443',
    ]);
    expect(again.stderr).toBe('');
  });

  test('can be kept by a rule for --source, with and without the route', async () => {
    await site.listen('80', '443');
    const { node } = site;
    // The node's own way to the address is another one, where nothing answers.
    await node.ip('link add bond1 type veth peer name other1');
    await node.ip('link set bond1 up');
    await node.ip('address add 198.18.1.1/24 dev bond1');
    await node.ip('route add 192.0.2.0/24 dev bond1');
    await node.ip('route add default via 198.18.0.2 dev bond0 table 153');
    await node.ip('rule add from 198.18.0.1 lookup 153');
    const args = ['--timeout', '500ms', '--source', '198.18.0.1', ...SEED];
    expect(await pass('--timeout', '500ms', '-n', ...SEED)).toMatchObject({ exitCode: 2 });
    const up = await pass(...args);
    expect(up).toMatchObject({ exitCode: 0 });
    expect(up.stderr).not.toContain('warning');
    expect(await site.routes(V4)).toMatchObject([{ protocol: '121', dev: 'bond0' }]);
    expect(await pass('--source', '198.18.0.9', ...SEED)).toMatchObject({ exitCode: 69 });
  });
});

describe('the lease', () => {
  test("of an IPv6 route is the kernel's, is renewed, and can be off", async () => {
    await site.listen('80');
    const target = ['bond0', V6, '80'];
    const expires = async (): Promise<number | undefined> => (await site.routes(V6))[0]?.expires;
    await pass('--lease', '100s', ...target);
    expect(await expires()).toBeGreaterThan(90);
    expect(await expires()).toBeLessThanOrEqual(100);
    await pass('--lease', '200s', ...target);
    expect(await expires()).toBeGreaterThan(150);
    await pass('--lease', 'off', ...target);
    expect(await site.routes(V6)).toHaveLength(1);
    expect(await expires()).toBeUndefined();
  });

  test('that ran out is swept by the next pass of any instance of any probe', async () => {
    await site.listen('80');
    // A lease long enough for the two passes below, on a machine that is busy.
    for (const address of [V6, V4]) await pass('--lease', '6s', 'bond0', address, '80');
    expect(await site.routes(V4)).toHaveLength(1);
    const other = ['-a', '198.51.100.1', '-i', 'other', '--', 'true'];
    expect(await site.run('exec-probe', other)).toMatchObject({ exitCode: 0 });
    expect(await site.routes(V4)).toHaveLength(1); // in time
    let said = '';
    await until('the sweep', async () => {
      const sweep = await site.run('exec-probe', other);
      expect(sweep).toMatchObject({ exitCode: 0 });
      said += sweep.stderr;
      return [...(await site.routes(V4)), ...(await site.routes(V6))].length === 0;
    });
    expect(said).toContain(`withdrew ${V4}/32 dev bond0 (proto 121): its lease ran out`);
    expect((await site.run('exec-probe', other)).stderr).toBe('');
    // Its own next pass tells it.
    const own = await site.probe(['bond0', V4, '80']);
    expect(own.stderr).toContain('is gone from the kernel: removed by hand, or its lease ran out');
    expect(await site.routes(V4)).toEqual([]);
  });

  test('runs out under a verdict that stays unknown', async () => {
    await site.listen('80');
    await pass('--lease', '6s', 'bond0', V4, '80');
    const unclear = ['--lease', '6s', '--source', '198.18.0.9', 'bond0', V4, '80'];
    expect(await pass(...unclear)).toMatchObject({ exitCode: 69 });
    expect(await site.routes(V4)).toHaveLength(1);
    await until('the end of the lease', async () => {
      expect(await pass(...unclear)).toMatchObject({ exitCode: 69 });
      return (await site.routes(V4)).length === 0;
    });
  });

  test('is given anew to what is left behind when the state folder is emptied', async () => {
    await site.listen('80', '443');
    await pass('-i', 'gone', 'bond0', V4, '80');
    await pass('-i', 'alive', '--lease', '3s', 'bond0', V6, '80');
    rmSync(site.stateDir, { recursive: true });
    const alive = ['-i', 'alive', '--lease', '3s', 'bond0', V6, '80'];
    await pass(...alive);
    expect(await site.routes(V4)).toHaveLength(1);
    expect(await site.routes(V6)).toHaveLength(1);
    await until('the other one swept', async () => {
      await pass(...alive);
      expect(await site.routes(V6)).toHaveLength(1);
      return (await site.routes(V4)).length === 0;
    });
  });
});

describe('an instance with a route', () => {
  test('changes nothing in a dry run', async () => {
    await site.listen('80', '443');
    const dry = await pass('-n', ...SEED);
    expect(dry.stdout).toContain(`would change: add ${V4}/32 dev bond0`);
    expect(await site.routes(V4)).toEqual([]);
  });

  test('is suspended, is withdrawn at once, and comes back', async () => {
    await site.listen('80', '443');
    await pass(...SEED);
    const name = `tcp-route-probe-${V4}`;
    expect(await site.run('ha-suspend', [name])).toMatchObject({ exitCode: 0 });
    expect(await site.routes(V4)).toEqual([]);
    expect(await pass(...SEED)).toMatchObject({ exitCode: 0 });
    expect(await site.routes(V4)).toEqual([]);
    expect(await site.run('ha-resume', [name])).toMatchObject({ exitCode: 0 });
    await pass(...SEED);
    expect(await site.routes(V4)).toHaveLength(1);
  });

  test('is withdrawn by ha-suspend also when its state is lost', async () => {
    await site.listen('80', '443');
    await pass(...SEED);
    const name = `tcp-route-probe-${V4}`;
    rmSync(`${site.stateDir}/${name}.json`);
    expect(await site.run('ha-suspend', [name])).toMatchObject({ exitCode: 0 });
    expect(await site.routes(V4)).toEqual([]);
  });

  test('withdraws on SIGTERM', async () => {
    await site.listen('80', '443');
    await pass(...SEED);
    await site.filter(80);
    const folders = ['--state-dir', site.stateDir, '--persist-dir', `${site.folder}/persist`];
    const child = await start('tcp-route-probe', [...folders, '--timeout', '20s', '-v', ...SEED], {
      namespace: site.node,
    });
    await until('the lock', () =>
      readdirSync(site.stateDir).includes(`tcp-route-probe-${V4}.lock`),
    );
    child.signal('SIGTERM');
    expect(await child.finished).toMatchObject({ exitCode: 0 });
    expect(await site.routes(V4)).toEqual([]);
  });

  test('owns its address', async () => {
    await site.listen('80', '443');
    await pass(...SEED);
    const other = await pass('-i', 'other', ...SEED);
    expect(other.exitCode).toBe(78);
    expect(other.stderr).toContain(`${V4} belongs to instance 'tcp-route-probe-${V4}'`);
  });

  test('starts one process in a pass that changes nothing, and an address probe none', async () => {
    await site.listen('80', '443');
    await pass(...SEED);
    expect(await processesOf('tcp-route-probe', SEED)).toBe(1);
    const other = ['--proxy', '198.18.0.2:81', '-a', '198.51.100.1', '-i', 'other'];
    await site.run('squid-probe', other); // without a state it looks for what was left behind
    expect(await processesOf('squid-probe', other)).toBe(0);
  });
});

/** How many processes a run starts. */
async function processesOf(program: string, args: readonly string[]): Promise<number> {
  const trace = `${site.folder}/trace`;
  const folders = ['--state-dir', site.stateDir, '--persist-dir', `${site.folder}/persist`];
  const command = ['-f', '-e', 'trace=execve', '-e', 'status=successful', '-o', trace];
  const file = path.join(ROOT, 'dist', program);
  const traced = [...command, process.execPath, file, ...folders, ...args];
  const { exitCode } = await site.node.exec('strace', traced);
  expect(exitCode).toBeLessThan(3);
  const { stdout } = await site.node.exec('grep', ['-c', 'execve("', trace]);
  return Number(stdout) - 1;
}

describe("the seed's six lines", () => {
  const routed = [
    V4,
    '192.0.2.201',
    '192.0.2.211',
    '198.51.100.153',
    '198.51.100.201',
    '198.51.100.211',
  ];

  test('run as six configurations in one process', async () => {
    for (const address of routed.slice(1)) await site.far.ip(`address add ${address} dev far0`);
    await site.listen('80', '443', '22!', '23', '992', '1521');
    const conf = `${site.folder}/routes`;
    cpSync(path.join(ROOT, 'scripts/examples/tcp-route'), conf, { recursive: true });
    for (let count = 0; count < 2; count++) {
      expect(await site.probe(['--config', conf])).toMatchObject({ exitCode: 2 });
    }
    const advertised = async (): Promise<string[]> => {
      const shown = await Promise.all(routed.map((address) => site.routes(address)));
      return routed.filter((_, index) => shown[index]?.[0]?.protocol === '121');
    };
    // Port 1526 is closed everywhere: the databases stay out.
    const open = routed.filter((address) => !address.endsWith('.211'));
    expect(await advertised()).toEqual(open);
    await site.listen('1526');
    for (let count = 0; count < 2; count++) await site.probe(['--config', conf]);
    expect(await advertised()).toEqual(routed);
    const status = await site.run('ha-status', []);
    expect(status.stdout).toContain('greenford-database');
    expect(await processesOf('ha-status', [])).toBe(1);
  });
});

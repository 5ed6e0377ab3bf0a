import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Lab } from '../../scripts/lab.d/lab.mjs';
import { startDetached, until } from '../../scripts/lab.d/processes.mjs';
import { namespaceOf } from '../../scripts/lab.d/topology.mjs';

const HOST = { v4: '192.0.2.153', v6: '2001:db8:ffff:b000::153' };
const NODES = ['near', 'far'] as const;
type Node = (typeof NODES)[number];

let lab: Lab;
let server: number;

/**
 * The host behind the nodes' tunnels is the lab's client here: a link from each node, on which the
 * host has its addresses, and the way that tcp-route-probe(8) advises for the handshakes.
 */
beforeAll(async () => {
  lab = await Lab.up(`kernel${process.pid}`, { nodes: 'kernel', method: 'none' });
  await lab.exec('client', 'ip', ['address', 'add', `${HOST.v4}/32`, 'dev', 'lo']);
  for (const [index, node] of NODES.entries()) await addTunnel(node, index + 1);
  const listen = "require('node:net').createServer().listen(80, '::')";
  const inside = ['netns', 'exec', namespaceOf(lab.name, 'client'), process.execPath, '-e', listen];
  server = startDetached(path.join(lab.folder, 'host.log'), 'ip', inside);
  await until('the host listens', async () =>
    (await lab.exec('client', 'ss', ['-Hltn', 'sport = :80'])).includes('LISTEN'),
  );
}, 90_000);

afterAll(async () => {
  await lab.down();
});

async function addTunnel(node: Node, number: number): Promise<void> {
  const [namespace, host] = [namespaceOf(lab.name, node), namespaceOf(lab.name, 'client')];
  const far = `tun${number}`;
  const words = (line: string): string[] => line.split(' ');
  const lines = [
    `-n ${namespace} link add tun0 type veth peer name ${far} netns ${host}`,
    `-n ${namespace} address add 10.99.${number}.2/30 dev tun0`,
    `-n ${namespace} address add fd00:${number}::2/64 dev tun0 nodad`,
    `-n ${namespace} link set tun0 up`,
    `-n ${host} address add 10.99.${number}.1/30 dev ${far}`,
    `-n ${host} address add fd00:${number}::1/64 dev ${far} nodad`,
    `-n ${host} address add ${HOST.v6}/128 dev ${far} nodad`,
    `-n ${host} link set ${far} up`,
    `-n ${namespace} rule add from 10.99.${number}.2 lookup 153`,
    `-n ${namespace} -6 rule add from fd00:${number}::2 lookup 153`,
    `-n ${namespace} route add default dev tun0 table 153`,
    `-n ${namespace} -6 route add default dev tun0 table 153`,
  ];
  for (const line of lines) await lab.exec('client', 'ip', words(line));
}

/** A pass for each family. Returns the exit statuses. */
async function pass(node: Node, ...options: readonly string[]): Promise<(number | null)[]> {
  const number = NODES.indexOf(node) + 1;
  const statuses = [];
  for (const [address, source] of [
    [HOST.v4, `10.99.${number}.2`],
    [HOST.v6, `fd00:${number}::2`],
  ] as const) {
    const flags = ['--rise', '1', '--fall', '1', '--attempts', '3', '--source', source, ...options];
    const line = [...flags, 'tun0', address, '80'];
    statuses.push((await lab.checker[node].execute('tcp-route-probe', line)).code);
  }
  return statuses;
}

async function farRouterGoes(through: readonly string[]): Promise<boolean> {
  const { r3 } = lab.routing;
  const ways = await Promise.all([HOST.v4, HOST.v6].map((host) => r3.devicesTo(prefixOf(host))));
  return ways.every((way) => String(way) === String(through));
}

function prefixOf(host: string): string {
  return `${host}/${host.includes(':') ? 128 : 32}`;
}

test('a route of tcp-route-probe comes and goes at the far router', async () => {
  expect(await farRouterGoes([])).toBe(true);
  expect(await pass('near')).toEqual([0, 0]);
  await until('the route is there', () => farRouterGoes(['core0']));

  // Both nodes have it: the far router stays with the one that is nearer to it.
  expect(await pass('far')).toEqual([0, 0]);
  await until('both nodes announce it', async () => {
    const shown = await lab.routing.r3.vtysh('show ip ospf database external 192.0.2.153');
    return shown.includes('198.51.100.2') && shown.includes('198.51.100.6');
  });
  expect(await farRouterGoes(['core0'])).toBe(true);
  expect(await pass('far')).toEqual([0, 0]);

  expect(await pass('near', '--withdraw', '--drain', '0s')).toEqual([0, 0]);
  await until('the far node has it alone', () => farRouterGoes(['node0']));

  process.kill(server, 'SIGKILL');
  expect(await pass('far')).toEqual([2, 2]);
  await until('the route is gone', () => farRouterGoes([]));
}, 60_000);

test('no other kernel route is announced', async () => {
  const near = (line: string) => lab.exec('near', 'ip', line.split(' '));
  await near('route add 192.0.2.66/32 dev tun0');
  await near('route add 192.0.2.201/32 dev tun0');
  // The second one is allowed: when it has come, the first would have come as well.
  await until('the allowed route is announced', async () =>
    (await lab.routing.r1.vtysh('show ip ospf database external')).includes('192.0.2.201'),
  );
  expect(await lab.routing.r1.vtysh('show ip ospf database external')).not.toContain('192.0.2.66');
});

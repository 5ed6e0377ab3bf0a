import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { Lab } from '../../scripts/lab.d/lab.mjs';
import { until } from '../../scripts/lab.d/processes.mjs';
import { SERVICE } from '../../scripts/lab.d/topology.mjs';

const SERVICES = [`${SERVICE.v4}/32`, `${SERVICE.v6}/128`];
const OTHERS = ['192.0.2.66/32', '2001:db8:ffff:a000::66/128'];

let lab: Lab | undefined;

afterEach(async () => {
  await lab?.down();
});

test.each(['bird', 'network'])(
  'nodes with the configuration "%s" announce their service addresses and nothing else',
  async (nodes) => {
    lab = await Lab.up(`${nodes}${process.pid}`, { nodes, method: 'none' });
    const { routing } = lab;
    const near = (verb: string, prefix: string) =>
      lab?.exec('near', 'ip', ['address', verb, prefix, 'dev', 'lo']);
    const wayTo = async (prefixes: readonly string[]) =>
      (await Promise.all(prefixes.map((prefix) => routing.r3.devicesTo(prefix)))).flat();

    for (const prefix of [...OTHERS, ...SERVICES]) await near('add', prefix);
    await until('the far router has the routes', async () => (await wayTo(SERVICES)).length === 2);
    expect(await wayTo(SERVICES)).toEqual(['core0', 'core0']);

    // What came before the service addresses would be there by now.
    await sleep(1000);
    const databases = await routing.r3.vtysh(
      'show ip ospf database external',
      'show ip ospf database summary',
      'show ipv6 ospf6 database as-external detail',
    );
    expect(databases).toContain(`Link State ID: ${SERVICE.v4} `);
    expect(databases).toContain(`Prefix: ${SERVICE.v6}/128`);
    expect(databases).not.toContain('192.0.2.66');
    expect(databases).not.toContain('a000::66');

    for (const prefix of SERVICES) await near('delete', prefix);
    await until('the routes are gone', async () => (await wayTo(SERVICES)).length === 0);
  },
  90_000,
);

import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lab } from '../../scripts/lab.d/lab.mjs';
import { FIRST, run, until } from '../../scripts/lab.d/processes.mjs';
import { namespaceOf, SERVICE } from '../../scripts/lab.d/topology.mjs';
import { expectLastResort } from '../support/ospf-database.ts';

const SERVICES = [`${SERVICE.v4}/32`, `${SERVICE.v6}/128`];
const OTHERS = ['192.0.2.66/32', '2001:db8:ffff:a000::66/128'];
const TIMEOUT_MS = 90_000;

let lab: Lab;

async function address(verb: 'add' | 'delete', node: 'near' | 'far', prefix: string) {
  return lab.exec(node, 'ip', ['address', verb, prefix, 'dev', 'lo']);
}

/** A lab with such nodes, and what has to hold of all. */
function useNodes(nodes: string): void {
  beforeAll(async () => {
    lab = await Lab.up(`${nodes}${process.pid}`, { nodes, method: 'none' });
  }, TIMEOUT_MS);

  afterAll(async () => {
    await lab.down();
    // Without a trace.
    expect((await run('ip', ['netns'])).stdout).not.toContain(lab.name);
    expect(existsSync(lab.folder)).toBe(false);
  });

  test(
    'announce their service addresses and nothing else',
    async () => {
      const { r3 } = lab.routing;
      const waysTo = async (prefixes: readonly string[]): Promise<string[]> =>
        (await Promise.all(prefixes.map((prefix) => r3.devicesTo(prefix)))).flat();

      for (const prefix of [...OTHERS, ...SERVICES]) await address('add', 'near', prefix);
      await until('the far router has routes', async () => (await waysTo(SERVICES)).length === 2);
      expect(await waysTo(SERVICES)).toEqual(['core0', 'core0']);

      // What came before the service addresses would be there by now.
      await sleep(1000);
      const databases = await r3.vtysh(
        'show ip ospf database external',
        'show ip ospf database summary',
        'show ipv6 ospf6 database as-external detail',
      );
      expect(databases).toContain(`Link State ID: ${SERVICE.v4} `);
      expect(databases).toContain(`Prefix: ${SERVICE.v6}/128`);
      expect(databases).not.toContain('192.0.2.66');
      expect(databases).not.toContain('a000::66');

      for (const prefix of [...OTHERS, ...SERVICES]) await address('delete', 'near', prefix);
      await until('the routes are gone', async () => (await waysTo(SERVICES)).length === 0);
    },
    TIMEOUT_MS,
  );
}

/** The move by hand, in a lab without a checker. */
function leaveAsLastResort(halfSeconds: number): void {
  test(
    'that leave are announced as a last resort, and withdrawn when their lifetime ends',
    async () => {
      await expectLastResort(lab, halfSeconds);
    },
    2 * TIMEOUT_MS,
  );
}

describe('nodes with BIRD', () => {
  useNodes('bird');
  leaveAsLastResort(6);
});

describe('nodes with a network statement', () => {
  useNodes('network');
  // FRR flushes the type 3 LSA, and issues it anew when it may (MinLSInterval, 5 s).
  leaveAsLastResort(9);

  test(
    'are told by ha-suspend when the drain is likely too short for what FRR announces',
    async () => {
      const probe = ['--rise', '1'];
      const quagga = { spf: '200 1000 10000', nodeSpf: true, interval: 1, probe };
      await lab.change({ ...quagga, method: 'probe' });
      const short = await suspend('2s');
      expect(short.code).toBe(0);
      expect(short.stderr).toContain(
        '--drain 2s is likely too short: take at least 6s, if the routers have the SPF timers of this node',
      );
      const resumed = await lab.checker.near.execute('ha-resume', ['dns', '--wait', '30s']);
      expect(resumed.code).toBe(0);
      await lab.awaitSteady();
      const long = await suspend('6s');
      expect(long.code).toBe(0);
      expect(long.stderr).not.toContain('too short');
    },
    TIMEOUT_MS,
  );
});

describe('nodes with BFD', () => {
  useNodes('bfd');

  test(
    'that fall silent are taken for dead before OSPF would',
    async () => {
      for (const node of ['near', 'far'] as const) {
        for (const prefix of SERVICES) await address('add', node, prefix);
      }
      await lab.awaitSteady();
      await until('BFD is up for OSPFv2 and OSPFv3', async () => {
        const peers = (await lab.routing.r1.json('show bfd peers')) as { status: string }[];
        return peers.map(({ status }) => status).join(' ') === 'up up';
      });
      // Longer than the test waits.
      const deadInterval = ['ip ospf dead-interval 600', 'ipv6 ospf6 dead-interval 600'];
      await lab.routing.r1.configure(['interface node0', ...deadInterval]);
      await lab.routing.near.configure(['interface bond0', ...deadInterval]);
      const silence = 'chain output { type filter hook output priority 0; policy drop; };';
      await lab.exec('near', 'nft', [`table inet cut { ${silence} }`]);
      await until('all go to the far node', () => lab.allGoTo('far'));
    },
    TIMEOUT_MS,
  );
});

/** Runs ha-suspend on the near node, where it finds the node's FRR as it would on a machine. */
async function suspend(drain: string): ReturnType<typeof run> {
  const { routing, checker, name, folder } = lab;
  const [program = '', ...first] = FIRST;
  return run(program, [
    ...[...first, 'ip', 'netns', 'exec', namespaceOf(name, 'near'), 'sh', '-c'],
    ...['mount --bind "$0" /run/frr && exec "$@"', routing.near.folder],
    ...[`${folder}/bin/ha-suspend`, 'dns', '--drain', drain, ...checker.near.stateFlags],
  ]);
}

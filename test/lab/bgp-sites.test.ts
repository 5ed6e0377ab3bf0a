import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { advertise } from '../../scripts/lab.d/drain-move.mjs';
import { Lab } from '../../scripts/lab.d/lab.mjs';
import { until } from '../../scripts/lab.d/processes.mjs';
import { expectLastResort } from '../support/bgp-table.ts';

const TIMEOUT_MS = 120_000;

let lab: Lab;

/** A BGP network that is configured in another way. */
function useSite(nodes: string): void {
  beforeAll(async () => {
    const name = `${nodes.replace(/\W/, '')}${process.pid}`;
    lab = await Lab.up(name, { protocol: 'bgp', nodes, method: 'none' });
  }, TIMEOUT_MS);

  afterAll(async () => {
    await lab.down();
  });
}

describe.each([
  ['BIRD on the nodes', 'bird'],
  ['unnumbered links', 'unnumbered'],
  ['one AS and route reflectors', 'reflector'],
  ['clients shared by two nodes of equal distance', 'multipath'],
  ['both nodes at one router', 'one-router'],
])('with %s', (_, nodes) => {
  useSite(nodes);

  test(
    'a node leaves as a last resort, and returns, and no query is lost',
    async () => {
      await expectLastResort(lab);
    },
    TIMEOUT_MS,
  );
});

describe('with BFD', () => {
  useSite('bfd');

  test(
    'a node that falls silent is taken for dead by BFD',
    async () => {
      for (const node of ['near', 'far'] as const) await advertise(lab, node);
      await lab.awaitSteady();
      const peers = async (): Promise<string> => lab.routing.r1.vtysh('show bfd peers json');
      await until('BFD is up', async () => (await peers()).match(/"status":"up"/g)?.length === 2);
      const silence = 'chain output { type filter hook output priority 0; policy drop; };';
      await lab.exec('near', 'nft', [`table inet cut { ${silence} }`]);
      await until('all go to the far node', () => lab.allGoTo('far'));
      for (const neighbour of ['198.51.100.2', '2001:db8:ffff:1000::2']) {
        const shown = await lab.routing.r1.vtysh(`show bgp neighbors ${neighbour} json`);
        // The last message was Cease, BFD Down (RFC 9384).
        expect(shown).toContain('"lastErrorCodeSubcode":"060A"');
      }
    },
    TIMEOUT_MS,
  );
});

describe('with exabgp on the nodes', () => {
  useSite('exabgp');

  test(
    'its healthcheck announces, and withdraws when Unbound is killed',
    async () => {
      const every = ['--withdraw-on-down', '--interval', '1', '--rise', '1', '--fall', '1'];
      await lab.change({ ...lab.options, method: 'exabgp', probe: every });
      lab.resolver.near.signal('SIGKILL');
      await until('all go to the far node', () => lab.allGoTo('far'));
      await lab.resolver.near.start();
      await lab.awaitSteady();
    },
    TIMEOUT_MS,
  );
});

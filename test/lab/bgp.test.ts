import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lab } from '../../scripts/lab.d/lab.mjs';
import { until } from '../../scripts/lab.d/processes.mjs';
import { SERVICE } from '../../scripts/lab.d/topology.mjs';
import { expectLastResort, prefixesFromNear } from '../support/bgp-table.ts';
import {
  expectTakeOver,
  expectTurns,
  leastLostIn,
  routesTo,
  withAddresses,
} from '../support/lab-trials.ts';

const OTHER = { v4: '192.0.2.66', v6: '2001:db8:ffff:a000::66' };
const SERVICES = [`${SERVICE.v4}/32`, `${SERVICE.v6}/128`];

let lab: Lab;

beforeAll(async () => {
  const probe = ['--fall', '1', '--attempts', '1'];
  lab = await Lab.up(`bgp${process.pid}`, { protocol: 'bgp', probe });
}, 90_000);

afterAll(async () => {
  await lab.down();
});

describe('a BGP network with FRR', () => {
  test('the far router loses and gains the route to the near node, IPv4 and IPv6', async () => {
    await expectTurns(lab);
  }, 60_000);

  test('suspending the near node and resuming it loses no query', async () => {
    expect(await leastLostIn(lab, 'planned')).toEqual({ v4: 0, v6: 0 });
  }, 180_000);

  test('when Unbound is killed the far node takes over', async () => {
    await expectTakeOver(lab);
  }, 90_000);
});

describe('filters', () => {
  test('a node announces its service addresses and nothing else', async () => {
    await lab.awaitSteady();
    await withAddresses(lab, OTHER, async () => {
      // Long enough for the routing daemons: what they announce is there within a second.
      await sleep(3000);
      expect(await prefixesFromNear(lab)).toEqual(SERVICES);
    });
  });

  test('the routers use nothing else, should a node announce it', async () => {
    const { near } = lab.routing;
    const lists = [`ip prefix-list SERVICE4 seq 99 permit ${OTHER.v4}/32`].concat(
      `ipv6 prefix-list SERVICE6 seq 99 permit ${OTHER.v6}/128`,
    );
    await near.configure(lists);
    try {
      await withAddresses(lab, OTHER, async () => {
        // Behind the filter, as the router has it from the node.
        await until('it is announced', async () => (await sentByNear()).every(Boolean));
        await sleep(2000);
        expect(await prefixesFromNear(lab)).toEqual(SERVICES);
        expect(await routesTo(lab, OTHER)).toBe('');
        expect(await lab.allGoTo('near')).toBe(true);
      });
    } finally {
      await near.configure(lists.map((line) => `no ${line}`));
    }
  }, 60_000);

  test('a node that announces too much loses its session, should the lists allow it', async () => {
    const many = Array.from({ length: 12 }, (_, index) => `192.0.2.${100 + index}/32`);
    const list = 'ip prefix-list SERVICE4 seq 98 permit 192.0.2.0/24 ge 32';
    const { near, r1 } = lab.routing;
    for (const speaker of [near, r1]) await speaker.configure([list]);
    try {
      for (const it of many) await lab.exec('near', 'ip', ['address', 'add', it, 'dev', 'lo']);
      await until('the session is down', async () =>
        (await r1.vtysh('show bgp ipv4 unicast summary')).includes('(PfxCt)'),
      );
    } finally {
      for (const it of many) await lab.exec('near', 'ip', ['address', 'delete', it, 'dev', 'lo']);
      for (const speaker of [near, r1]) await speaker.configure([`no ${list}`]);
      await r1.vtysh('clear bgp ipv4 unicast 198.51.100.2');
    }
    await lab.awaitSteady();
  }, 60_000);

  /** What the near node says that it announces, of the other addresses. */
  async function sentByNear(): Promise<boolean[]> {
    const sent = await lab.routing.near.vtysh(
      'show bgp ipv4 unicast neighbors 198.51.100.1 advertised-routes',
      'show bgp ipv6 unicast neighbors 2001:db8:ffff:1000::1 advertised-routes',
    );
    return [OTHER.v4, OTHER.v6].map((address) => sent.includes(address));
  }
});

/** The last one: the lab stays without a checker. */
test('an address that moves to ha-drain is announced as a last resort and withdrawn when its lifetime ends', async () => {
  await lab.change({ ...lab.options, method: 'none' });
  await expectLastResort(lab);
}, 180_000);

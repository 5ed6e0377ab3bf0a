import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lab } from '../../scripts/lab.d/lab.mjs';
import { until } from '../../scripts/lab.d/processes.mjs';
import { SERVICE } from '../../scripts/lab.d/topology.mjs';
import {
  expectTakeOver,
  expectTurns,
  leastLostByHand,
  leastLostIn,
  routesTo,
  withAddresses,
} from '../support/lab-trials.ts';

const OTHER = { v4: '192.0.2.66', v6: '2001:db8:ffff:a000::66' };
const SERVICES = [`${SERVICE.v4}/32`, `${SERVICE.v6}/128`];

let lab: Lab;

beforeAll(async () => {
  const probe = ['--fall', '1', '--attempts', '1'];
  lab = await Lab.up(`isis${process.pid}`, { protocol: 'isis', probe });
}, 90_000);

afterAll(async () => {
  await lab.down();
});

/** The host prefixes that the near node announces, as r3 has them. */
async function announcedHosts(): Promise<string[]> {
  const database = await lab.routing.r3.vtysh('show isis database detail');
  const [lsp = ''] = database
    .split(/^(?=\S+-\d\d )/m)
    .filter((text) => text.includes('TE Router ID: 198.51.100.2\n'));
  return [...lsp.matchAll(/Reachability: (\S+\/(?:32|128)) /g)].map(([, prefix = '']) => prefix);
}

describe('an IS-IS network with FRR', () => {
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
      // Long enough for the routing daemons: what they announce is there within a second or two.
      await sleep(4000);
      expect(await announcedHosts()).toEqual(SERVICES);
    });
  });

  test('the routers use nothing else, should a node announce it', async () => {
    const { near } = lab.routing;
    await near.configure(['route-map SERVICE4 permit 30', 'exit', 'route-map SERVICE6 permit 30']);
    try {
      await withAddresses(lab, OTHER, async () => {
        await until('it is announced', async () => {
          const hosts = await announcedHosts();
          return hosts.includes(`${OTHER.v4}/32`) && hosts.includes(`${OTHER.v6}/128`);
        });
        await sleep(2000);
        expect(await routesTo(lab, OTHER)).toBe('');
        expect(await lab.allGoTo('near')).toBe(true);
      });
    } finally {
      await near.configure(['no route-map SERVICE4 permit 30', 'no route-map SERVICE6 permit 30']);
    }
  }, 60_000);

  test('a neighbour without the password is none', async () => {
    const { near } = lab.routing;
    await near.configure(['interface bond0', 'isis password md5 wrong']);
    await until('the routers turn to the far node', () => lab.allGoTo('far'));
    await near.configure(['interface bond0', 'isis password md5 change-me']);
    await lab.awaitSteady();
  }, 60_000);
});

/** The last one: the lab stays without a checker. */
test('an address that moves to ha-drain is announced as before, and withdrawn when its lifetime ends', async () => {
  await lab.change({ ...lab.options, method: 'none' });
  const lost = await leastLostByHand(lab, {
    halfSeconds: 3,
    quietSeconds: 2,
    meanwhile: async () => {
      await sleep(2000);
      expect(await announcedHosts()).toEqual(SERVICES);
      expect(await lab.allGoTo('near')).toBe(true);
    },
    afterwards: () => until('it is withdrawn', async () => (await announcedHosts()).length === 0),
  });
  expect(lost).toEqual({ v4: 0, v6: 0 });
}, 180_000);

import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lab } from '../../scripts/lab.d/lab.mjs';
import { ROOT } from '../../scripts/lab.d/paths.mjs';
import { startDetached, until } from '../../scripts/lab.d/processes.mjs';
import { namespaceOf, SERVICE } from '../../scripts/lab.d/topology.mjs';
import {
  expectTakeOver,
  expectTurns,
  leastLostIn,
  routesTo,
  withAddresses,
} from '../support/lab-trials.ts';
import { databaseOf, expectLastResort, inForce } from '../support/ospf-database.ts';

const LEASE_SECONDS = 6;
const PROBE = ['--fall', '1', '--attempts', '1', '--lease', `${LEASE_SECONDS}s`];

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.up(`test${process.pid}`, { probe: PROBE });
}, 90_000);

afterAll(async () => {
  await lab.down();
});

describe('an OSPF network with FRR', () => {
  test('the far router loses and gains the route to the near node, IPv4 and IPv6', async () => {
    await expectTurns(lab);
  }, 60_000);

  test('suspending the near node and resuming it loses no query', async () => {
    expect(await leastLostIn(lab, 'planned')).toEqual({ v4: 0, v6: 0 });
  }, 180_000);

  test('restarting Unbound behind ha-suspend loses no query', async () => {
    expect(await leastLostIn(lab, 'restart')).toEqual({ v4: 0, v6: 0 });
  }, 180_000);

  test('when Unbound is killed the far node takes over', async () => {
    await expectTakeOver(lab);
  }, 90_000);

  test('renewing the lease changes no LSA', async () => {
    await lab.awaitSteady();
    const before = await databaseOf(lab, 'r3');
    await sleep(2 * LEASE_SECONDS * 1000);
    const after = await databaseOf(lab, 'r3');
    for (const family of ['v4', 'v6'] as const) {
      const [then, now] = [before, after].map((shown) => theOne(inForce(shown[family])));
      expect(now?.sequence).toBe(then?.sequence);
      expect(now?.ageSeconds).toBeGreaterThanOrEqual((then?.ageSeconds ?? 0) + LEASE_SECONDS);
    }
  }, 60_000);

  test('two services of a node move on their own', async () => {
    await withSecondService(async (advertised, stop) => {
      await until('the syslog service is advertised', advertised);
      await stop();
      await until('the syslog service is withdrawn', async () => !(await advertised()));
      expect(await lab.allGoTo('near')).toBe(true);
    });
  }, 60_000);
});

describe('filters', () => {
  const OTHER = { v4: '192.0.2.66', v6: '2001:db8:ffff:a000::66' };

  test('a node announces its service addresses and nothing else', async () => {
    await withAddresses(lab, OTHER, async () => {
      // Long enough for the routing daemons: what they announce is there within a second.
      await sleep(3000);
      const { v4, v6 } = await databaseOf(lab, 'r1');
      expect(v4).toContain(`Link State ID: ${SERVICE.v4}`);
      expect(v6).toContain(`Prefix: ${SERVICE.v6}/128`);
      expect(v4).not.toContain(OTHER.v4);
      expect(v6).not.toContain(OTHER.v6);
    });
  });

  test('the routers use nothing else, should a node announce it', async () => {
    const { near } = lab.routing;
    await near.configure(allow('permit 30'));
    try {
      await withAddresses(lab, OTHER, async () => {
        await until('it is announced', async () => {
          const { v4, v6 } = await databaseOf(lab, 'r1');
          return v4.includes(OTHER.v4) && v6.includes(OTHER.v6);
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
    const link = ['interface bond0'];
    await near.configure([
      ...link,
      'no ip ospf message-digest-key 1',
      'ip ospf message-digest-key 1 md5 wrong',
      'ipv6 ospf6 authentication key-id 1 hash-algo hmac-sha-256 key wrong',
    ]);
    await until('the routers turn to the far node', () => lab.allGoTo('far'));
    await near.configure([
      ...link,
      'no ip ospf message-digest-key 1',
      'ip ospf message-digest-key 1 md5 change-me',
      'ipv6 ospf6 authentication key-id 1 hash-algo hmac-sha-256 key change-me',
    ]);
    await lab.awaitSteady();
  }, 60_000);
});

/** The last one: the lab stays without a checker. */
test('an address that moves to ha-drain is announced as a last resort and withdrawn when its lifetime ends', async () => {
  await lab.change({ ...lab.options, method: 'none' });
  await expectLastResort(lab, 4);
}, 180_000);

/** Route maps that let anything pass. */
function allow(entry: string): readonly string[] {
  return ['4', '6'].flatMap((family) => [`route-map SERVICE${family} ${entry}`, 'exit']);
}

function theOne<Value>(values: readonly Value[]): Value | undefined {
  expect(values).toHaveLength(1);
  return values[0];
}

/**
 * Runs syslog-ng on the near node, with an address of its own that nodes and routers allow.
 *
 * @param action gets what tells whether the far router has a route to it, and what ends syslog-ng
 */
async function withSecondService(
  action: (advertised: () => Promise<boolean>, stop: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const address = '192.0.2.2';
  const second = `permit ${address}/32`;
  await lab.routing.near.configure([`ip prefix-list SERVICE4 seq 10 ${second}`]);
  for (const router of ['r1', 'r2', 'r3'] as const) {
    await lab.routing[router].configure([`ip prefix-list DNS4 seq 10 ${second}`]);
  }
  const folder = path.join(lab.folder, 'near/syslog');
  const example = path.join(ROOT, 'scripts/examples/syslog-ng/probe.conf');
  const configuration = path.join(folder, 'syslog-ng.conf');
  mkdirSync(folder, { recursive: true });
  writeFileSync(configuration, `@version: 3.38\n@include "${example}"\n`);
  const inside = ['netns', 'exec', namespaceOf(lab.name, 'near')];
  const daemon = startDetached(path.join(folder, 'log'), 'ip', [
    ...[...inside, 'syslog-ng', '--foreground', '--no-caps', '--cfgfile', configuration],
    ...['--persist-file', path.join(folder, 'persist'), '--pidfile', path.join(folder, 'pid')],
    ...['--control', path.join(folder, 'control')],
  ]);
  const scheduler = startDetached(path.join(folder, 'probe.log'), 'ip', [
    ...[...inside, path.join(ROOT, 'scripts/lab.d/scheduler'), '1'],
    ...[path.join(lab.folder, 'bin/syslog-probe'), '-i', 'syslog', '-a', address],
    ...[...lab.checker.near.stateFlags, '--fall', '1'],
  ]);
  try {
    await action(
      async () => (await lab.routing.r3.devicesTo(`${address}/32`)).join(' ') === 'core0',
      async () => {
        process.kill(-daemon, 'SIGKILL');
        return Promise.resolve();
      },
    );
  } finally {
    process.kill(-scheduler, 'SIGKILL');
  }
}

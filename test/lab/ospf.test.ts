import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lab } from '../../scripts/lab.d/lab.mjs';
import { ROOT } from '../../scripts/lab.d/paths.mjs';
import { startDetached, until } from '../../scripts/lab.d/processes.mjs';
import { playScenario } from '../../scripts/lab.d/scenarios.mjs';
import { namespaceOf, SERVICE } from '../../scripts/lab.d/topology.mjs';

const LEASE_SECONDS = 6;
const PROBE = ['--fall', '1', '--attempts', '1', '--lease', `${LEASE_SECONDS}s`];
const NEAR_ROUTER_ID = '198.51.100.2';

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.up(`test${process.pid}`, { probe: PROBE });
}, 90_000);

afterAll(async () => {
  await lab.down();
});

function setting(): Parameters<typeof playScenario>[1] {
  return {
    lab,
    method: 'probe',
    interval: 1,
    probe: PROBE,
    drainSeconds: 4,
    outSeconds: 1,
    phase: 0.5,
  };
}

/**
 * The queries that were lost in a scenario, without those whose packets routers sent in circles:
 * routers that have to wait for a processor change their way at different times, and no node can
 * help what becomes of a packet in these milliseconds.
 */
async function lostIn(scenario: string): Promise<{ v4: number; v6: number }> {
  const { measured, circled } = await playScenario(scenario, setting());
  const { udp4, tcp4, udp6, tcp6 } = measured;
  return {
    v4: Math.max(0, udp4.lost + tcp4.lost - circled.v4),
    v6: Math.max(0, udp6.lost + tcp6.lost - circled.v6),
  };
}

/** Tries of a scenario that is to lose nothing. */
const TRIES = 3;

/**
 * The least of a few tries. On a busy machine a packet strays once in a while; what is wrong with the
 * withdrawal loses some in every try (without a drain two or more, see the table in the README).
 */
async function leastLostIn(scenario: string): Promise<{ v4: number; v6: number }> {
  let least = await lostIn(scenario);
  for (let again = 1; again < TRIES && least.v4 + least.v6 > 0; again += 1) {
    const lost = await lostIn(scenario);
    if (lost.v4 + lost.v6 < least.v4 + least.v6) least = lost;
  }
  return least;
}

/** The external LSAs of the near node that a router has, as it prints them. */
async function announced(router: 'r1' | 'r3'): Promise<{ v4: string; v6: string }> {
  const { routing } = lab;
  return {
    v4: await routing[router].vtysh(`show ip ospf database external adv-router ${NEAR_ROUTER_ID}`),
    v6: await routing[router].vtysh(
      `show ipv6 ospf6 database as-external adv-router ${NEAR_ROUTER_ID} detail`,
    ),
  };
}

describe('an OSPF network with FRR', () => {
  test('the far router loses and gains the route to the near node, IPv4 and IPv6', async () => {
    const { near } = lab.checker;
    const way = async () => (await lab.ways()).r3;
    await lab.awaitSteady();
    expect(await way()).toEqual({ v4: ['core0'], v6: ['core0'] });
    await near.execute('ha-suspend', ['dns', '--drain', '1s']);
    await until('the far router turns away', () => lab.allGoTo('far'));
    expect(await way()).toEqual({ v4: ['node0'], v6: ['node0'] });
    expect(await near.execute('ha-resume', ['dns', '--wait', '20s'])).toMatchObject({ code: 0 });
    await until('the far router turns back', () => lab.allGoTo('near'));
    expect(await way()).toEqual({ v4: ['core0'], v6: ['core0'] });
  }, 60_000);

  test('suspending the near node and resuming it loses no query', async () => {
    expect(await leastLostIn('planned')).toEqual({ v4: 0, v6: 0 });
  }, 180_000);

  test('restarting Unbound behind ha-suspend loses no query', async () => {
    expect(await leastLostIn('restart')).toEqual({ v4: 0, v6: 0 });
  }, 180_000);

  test('when Unbound is killed the far node takes over', async () => {
    const { measured } = await playScenario('killed', setting());
    for (const { lost, otherMs } of Object.values(measured)) {
      expect(lost).toBeGreaterThan(0);
      expect(otherMs).not.toBeNull();
    }
  }, 90_000);

  test('renewing the lease changes no LSA', async () => {
    await lab.awaitSteady();
    const before = await announced('r3');
    await sleep(2 * LEASE_SECONDS * 1000);
    const after = await announced('r3');
    for (const family of ['v4', 'v6'] as const) {
      const [then, now] = [before, after].map((shown) => lsaOf(shown[family]));
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
    await withAddresses(OTHER, async () => {
      // Long enough for the routing daemons: what they announce is there within a second.
      await sleep(3000);
      const { v4, v6 } = await announced('r1');
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
      await withAddresses(OTHER, async () => {
        await until('it is announced', async () => {
          const { v4, v6 } = await announced('r1');
          return v4.includes(OTHER.v4) && v6.includes(OTHER.v6);
        });
        await sleep(2000);
        for (const router of ['r1', 'r2', 'r3'] as const) {
          const routes = [
            await lab.exec(router, 'ip', ['route', 'show', OTHER.v4]),
            await lab.exec(router, 'ip', ['-6', 'route', 'show', OTHER.v6]),
          ];
          expect(routes).toEqual(['', '']);
        }
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

/** Route maps that let anything pass. */
function allow(entry: string): readonly string[] {
  return ['4', '6'].flatMap((family) => [`route-map SERVICE${family} ${entry}`, 'exit']);
}

/** LSAs of this age are on their way out (RFC 2328, MaxAge). */
const MAX_AGE_SECONDS = 3600;

/** What FRR prints of the only LSA about the service that is in force. */
function lsaOf(printed: string): { sequence: string; ageSeconds: number } {
  const found = printed.matchAll(
    /(?:LS age|Age): +(\d+)[^]*?LS Seq\w* Number: (?:0x)?([0-9a-f]+)/g,
  );
  const [lsa, second] = [...found]
    .map(([, age, sequence = '']) => ({ sequence, ageSeconds: Number(age) }))
    .filter(({ ageSeconds }) => ageSeconds < MAX_AGE_SECONDS);
  if (lsa === undefined || second !== undefined) throw new Error(`not one LSA in: ${printed}`);
  return lsa;
}

async function withAddresses(
  addresses: { readonly v4: string; readonly v6: string },
  action: () => Promise<void>,
): Promise<void> {
  const both = [`${addresses.v4}/32`, `${addresses.v6}/128`];
  for (const it of both) await lab.exec('near', 'ip', ['address', 'add', it, 'dev', 'lo']);
  try {
    await action();
  } finally {
    for (const it of both) await lab.exec('near', 'ip', ['address', 'delete', it, 'dev', 'lo']);
  }
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

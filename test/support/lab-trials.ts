import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { advertise, endDrain, moveToDrain } from '../../scripts/lab.d/drain-move.mjs';
import type { Lab } from '../../scripts/lab.d/lab.mjs';
import { measure, type Measured } from '../../scripts/lab.d/measure.mjs';
import { until } from '../../scripts/lab.d/processes.mjs';
import { playScenario } from '../../scripts/lab.d/scenarios.mjs';

/** What the tests of every routing protocol have in common. */

export interface Both<Value> {
  readonly v4: Value;
  readonly v6: Value;
}

/** Tries of what is to lose nothing. */
const TRIES = 3;

/**
 * The least of a few tries. On a busy machine a packet strays once in a while; what is wrong with the
 * withdrawal loses some in every try (without a drain two or more, see the table in the README).
 */
async function least(lostIn: () => Promise<Both<number>>): Promise<Both<number>> {
  let found = await lostIn();
  for (let again = 1; again < TRIES && found.v4 + found.v6 > 0; again += 1) {
    const lost = await lostIn();
    if (lost.v4 + lost.v6 < found.v4 + found.v6) found = lost;
  }
  return found;
}

/**
 * The queries that were lost, without those whose packets routers sent in circles: routers that have
 * to wait for a processor change their way at different times, and no node can help what becomes of a
 * packet in these milliseconds.
 */
function lostOf({ udp4, tcp4, udp6, tcp6 }: Measured, circled: Both<number>): Both<number> {
  return {
    v4: Math.max(0, udp4.lost + tcp4.lost - circled.v4),
    v6: Math.max(0, udp6.lost + tcp6.lost - circled.v6),
  };
}

/** Plays a scenario in a lab that dns-probe checks. */
export async function play(lab: Lab, scenario: string): ReturnType<typeof playScenario> {
  const { interval, probe } = lab.options;
  const setting = { interval, probe, drainSeconds: 4, outSeconds: 1, phase: 0.5 };
  return playScenario(scenario, { lab, method: 'probe', ...setting });
}

/** What is lost in a scenario, in the best of a few tries. */
export async function leastLostIn(lab: Lab, scenario: string): Promise<Both<number>> {
  return least(async () => {
    const { measured, circled } = await play(lab, scenario);
    return lostOf(measured, circled);
  });
}

/** When Unbound is killed on the near node, clients lose some queries, and reach the far node then. */
export async function expectTakeOver(lab: Lab): Promise<void> {
  const { measured } = await play(lab, 'killed');
  for (const { lost, otherMs } of Object.values(measured)) {
    expect(lost).toBeGreaterThan(0);
    expect(otherMs).not.toBeNull();
  }
}

/** The near node is suspended and resumed: the far router turns to the other one, and back. */
export async function expectTurns(lab: Lab): Promise<void> {
  const { near } = lab.checker;
  const way = async (): Promise<unknown> => (await lab.ways()).r3;
  await lab.awaitSteady();
  expect(await way()).toEqual({ v4: ['core0'], v6: ['core0'] });
  await near.execute('ha-suspend', ['dns', '--drain', '1s']);
  await until('the far router turns away', () => lab.allGoTo('far'));
  expect(await way()).toEqual({ v4: ['node0'], v6: ['node0'] });
  expect(await near.execute('ha-resume', ['dns', '--wait', '20s'])).toMatchObject({ code: 0 });
  await until('the far router turns back', () => lab.allGoTo('near'));
  expect(await way()).toEqual({ v4: ['core0'], v6: ['core0'] });
}

/** Adds addresses to the near node's lo for as long as something is looked at. */
export async function withAddresses(
  lab: Lab,
  addresses: Both<string>,
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

/** The kernel's routes of all routers to addresses. */
export async function routesTo(lab: Lab, { v4, v6 }: Both<string>): Promise<string> {
  const shown = await Promise.all(
    (['r1', 'r2', 'r3'] as const).flatMap((router) => [
      lab.exec(router, 'ip', ['route', 'show', v4]),
      lab.exec(router, 'ip', ['-6', 'route', 'show', v6]),
    ]),
  );
  return shown.join('');
}

interface MoveByHand {
  /** Half of the drain. */
  readonly halfSeconds: number;
  /** How long the routers are left alone before. */
  readonly quietSeconds: number;
  /** While the addresses stand on ha-drain. */
  readonly meanwhile: () => Promise<void>;
  /** When they are gone, and the node answers still. */
  readonly afterwards: () => Promise<void>;
}

/**
 * Has the near node leave and return by hand, in a lab that nothing checks.
 *
 * @returns what was lost in the best of a few tries
 */
export async function leastLostByHand(lab: Lab, move: MoveByHand): Promise<Both<number>> {
  await advertise(lab, 'near');
  await advertise(lab, 'far');
  return least(async () => {
    await lab.awaitSteady();
    await sleep(move.quietSeconds * 1000);
    const before = await lab.circled();
    const measured = await measure(lab, async (fault) => {
      fault();
      await moveToDrain(lab, 'near', move.halfSeconds);
      await move.meanwhile();
      await until('the addresses are gone', async () => {
        const shown = await lab.exec('near', 'ip', ['-o', 'address', 'show', 'dev', 'ha-drain']);
        return !/ (?:192\.0\.2\.1|2001:db8::1)\//.test(shown);
      });
      await move.afterwards();
      await until('all go to the far node', () => lab.allGoTo('far'));
      await endDrain(lab, 'near');
      await sleep(500);
      await advertise(lab, 'near');
      await lab.awaitSteady();
      await sleep(1000);
    });
    const after = await lab.circled();
    return lostOf(measured, { v4: after.v4 - before.v4, v6: after.v6 - before.v6 });
  });
}

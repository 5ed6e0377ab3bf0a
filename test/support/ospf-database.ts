import { expect } from 'vitest';
import type { Lab } from '../../scripts/lab.d/lab.mjs';
import { until } from '../../scripts/lab.d/processes.mjs';
import { SERVICE } from '../../scripts/lab.d/topology.mjs';
import { leastLostByHand } from './lab-trials.ts';

const NEAR_ROUTER_ID = '198.51.100.2';

/** LSAs of this age are on their way out (RFC 2328, MaxAge). */
const MAX_AGE_SECONDS = 3600;

/** What FRR prints of an LSA about the service. */
interface Announced {
  readonly sequence: string;
  readonly ageSeconds: number;
  readonly metric: number;
}

/** The databases of a router, as it prints what the near node said. */
export async function databaseOf(
  lab: Lab,
  router: 'r1' | 'r3',
): Promise<{ readonly v4: string; readonly v6: string }> {
  const { [router]: speaker } = lab.routing;
  return {
    v4: await speaker.vtysh(
      `show ip ospf database external adv-router ${NEAR_ROUTER_ID}`,
      `show ip ospf database summary adv-router ${NEAR_ROUTER_ID}`,
    ),
    v6: await speaker.vtysh(
      `show ipv6 ospf6 database as-external adv-router ${NEAR_ROUTER_ID} detail`,
    ),
  };
}

/** The LSAs about the service among these that are in force. */
export function inForce(printed: string): Announced[] {
  return printed
    .split(/^(?= *(?:LS age|Age):)/m)
    .filter((lsa) => lsa.includes(`: ${SERVICE.v4} (`) || lsa.includes(`: ${SERVICE.v6}/128`))
    .map((lsa) => {
      const [, age, sequence = ''] =
        /(?:LS age|Age): +(\d+)[^]*?LS Seq\w* Number: (?:0x)?([0-9a-f]+)/.exec(lsa) ?? [];
      const metric = Number(/Metric: (\d+)/.exec(lsa)?.[1]);
      return { sequence, ageSeconds: Number(age), metric };
    })
    .filter(({ ageSeconds }) => ageSeconds < MAX_AGE_SECONDS);
}

/**
 * In a lab that nothing checks: an address that moves to ha-drain is announced as a last resort.
 *
 * @param halfSeconds how long it stands there
 */
export async function expectLastResort(lab: Lab, halfSeconds: number): Promise<void> {
  const metrics = async (): Promise<string> => {
    const { v4, v6 } = await databaseOf(lab, 'r3');
    return [v4, v6].map((shown) => inForce(shown).map(({ metric }) => metric)).join(' ');
  };
  const lost = await leastLostByHand(lab, {
    halfSeconds,
    // Longer than OSPF waits between two LSAs (MinLSInterval, RFC 2328 appendix B).
    quietSeconds: 5.5,
    meanwhile: () => until('a last resort', async () => (await metrics()) === '60000 60000'),
    afterwards: () => until('it is withdrawn', async () => (await metrics()) === ' '),
  });
  expect(lost).toEqual({ v4: 0, v6: 0 });
}

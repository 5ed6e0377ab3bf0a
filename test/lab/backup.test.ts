import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { advertise } from '../../scripts/lab.d/drain-move.mjs';
import { Lab } from '../../scripts/lab.d/lab.mjs';
import { measure } from '../../scripts/lab.d/measure.mjs';
import { until } from '../../scripts/lab.d/processes.mjs';
import { SERVICE } from '../../scripts/lab.d/topology.mjs';

const TIMEOUT_MS = 120_000;
const SERVICES = [`${SERVICE.v4}/32`, `${SERVICE.v6}/128`];

let lab: Lab;

/** What the node of a backup does, as the routers' files say. */
const TAKE = [
  ['route', 'add', 'local', '192.0.2.0/31', 'dev', 'lo'],
  ['-6', 'route', 'add', 'local', '2001:db8::/127', 'dev', 'lo'],
];

describe.each(['ospf', 'bgp'] as const)('a backup by %s', (protocol) => {
  beforeAll(async () => {
    const name = `backup${protocol}${process.pid}`;
    lab = await Lab.up(name, { protocol, nodes: 'backup', method: 'none' });
    for (const line of TAKE) await lab.exec('far', 'ip', line);
  }, TIMEOUT_MS);

  afterAll(async () => {
    await lab.down();
  });

  test(
    'leaves clients to a node that announces, and answers when none does any more',
    async () => {
      await advertise(lab, 'near');
      const lessSpecific = async (router: 'r1' | 'r2'): Promise<string> =>
        (await lab.exec(router, 'ip', ['route', 'show', '192.0.2.0/31'])) +
        (await lab.exec(router, 'ip', ['-6', 'route', 'show', '2001:db8::/127']));
      await until('the backup is known', async () => {
        const devices = (await lessSpecific('r1')).match(/ dev core0 /g);
        return devices?.length === 2 && (await lab.allGoTo('near'));
      });
      const measured = await measure(lab, async (fault) => {
        fault();
        for (const prefix of SERVICES) {
          await lab.exec('near', 'ip', ['address', 'delete', prefix, 'dev', 'lo']);
        }
        await until('nobody announces the service', async () => {
          const ways = Object.values(await lab.ways());
          return ways.every(({ v4, v6 }) => v4.length + v6.length === 0);
        });
        await new Promise((resolve) => setTimeout(resolve, 1500));
      });
      for (const { by, lost } of Object.values(measured)) {
        expect(by['near'] ?? 0).toBeGreaterThan(0);
        expect(by['far'] ?? 0).toBeGreaterThan(10);
        // They were on their way while the routes went.
        expect(lost).toBeLessThan(by['far'] ?? 0);
      }
    },
    TIMEOUT_MS,
  );
});

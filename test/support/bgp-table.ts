import { expect } from 'vitest';
import type { Lab } from '../../scripts/lab.d/lab.mjs';
import { until } from '../../scripts/lab.d/processes.mjs';
import { SERVICE } from '../../scripts/lab.d/topology.mjs';
import { leastLostByHand } from './lab-trials.ts';

/** Paths that lead to the near node directly have its AS alone, or none within one AS. */
const FROM_NEAR = /^(?:65101)?$/;

/** What bgpd's JSON says of a path to a prefix (bgpd/bgp_route.c). */
interface BgpPath {
  readonly aspath?: { readonly string: string };
  readonly path?: string;
  readonly peer?: { readonly routerId: string };
  readonly community?: { readonly string: string };
  readonly locPrf?: number;
}

const NEAR_ROUTER_ID = '198.51.100.2';

/** The prefixes that r1 accepts from the near node. */
export async function prefixesFromNear(lab: Lab): Promise<string[]> {
  const tables = await Promise.all(
    ['ipv4', 'ipv6'].map(
      (family) =>
        lab.routing.r1.json(`show bgp ${family} unicast`) as Promise<{
          readonly routes: Readonly<Record<string, readonly BgpPath[]>>;
        }>,
    ),
  );
  return tables.flatMap(({ routes }) =>
    Object.entries(routes)
      .filter(([, paths]) => paths.some(({ path }) => path === '65101'))
      .map(([prefix]) => prefix),
  );
}

/** What r1 has from the near node for the service addresses: the community and the preference. */
async function fromNear(lab: Lab): Promise<string[]> {
  const shown = await Promise.all(
    [`ipv4 unicast ${SERVICE.v4}/32`, `ipv6 unicast ${SERVICE.v6}/128`].map(
      (prefix) =>
        lab.routing.r1.json(`show bgp ${prefix}`) as Promise<{
          readonly paths?: readonly BgpPath[];
        }>,
    ),
  );
  return shown.map(({ paths = [] }) => {
    const path = paths.find(
      ({ peer, aspath }) =>
        peer?.routerId === NEAR_ROUTER_ID &&
        FROM_NEAR.test(aspath?.string.replace('Local', '') ?? ''),
    );
    if (path === undefined) return 'nothing';
    return `${path.community?.string ?? 'no community'}, ${path.locPrf ?? 'normal'}`;
  });
}

/** In a lab that nothing checks: an address that moves to ha-drain is announced as a last resort. */
export async function expectLastResort(lab: Lab): Promise<void> {
  const both = (what: string) => async (): Promise<boolean> => {
    const found = await fromNear(lab);
    if (found.every((it) => it === what)) return true;
    throw new Error(found.join('; '));
  };
  const lost = await leastLostByHand(lab, {
    halfSeconds: 3,
    quietSeconds: 1,
    meanwhile: () => until('a last resort', both('graceful-shutdown, 0')),
    afterwards: () => until('it is withdrawn', both('nothing')),
  });
  expect(lost).toEqual({ v4: 0, v6: 0 });
}

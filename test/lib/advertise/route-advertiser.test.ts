import { describe, expect, test } from 'vitest';
import type { Change } from '../../../src/lib/advertise/advertiser.ts';
import type { KernelRoute, RouteFindings } from '../../../src/lib/advertise/kernel-routes.ts';
import {
  PLAIN_ROUTE,
  routeAdvertiser,
  type RouteLeases,
} from '../../../src/lib/advertise/route-advertiser.ts';
import { StateError } from '../../../src/lib/system/errors.ts';

const PLACE = { address: '192.0.2.153', interface: 'bond0' };
const OURS: KernelRoute = {
  protocol: 121,
  isBehind: false,
  table: '254',
  device: 'bond0',
  gateway: undefined,
  metric: 0,
  source: undefined,
};

interface Scene {
  readonly before?: readonly KernelRoute[];
  readonly after?: readonly KernelRoute[];
  readonly refusal?: string;
  readonly link?: RouteFindings['link'];
  readonly path?: string | undefined;
  readonly leases?: RouteLeases;
}

/** An advertiser on a kernel that shows one thing before a change and another after it. */
function advertiserOn(scene: Scene): {
  advertiser: ReturnType<typeof routeAdvertiser>;
  lines: string[];
  leases: string[];
} {
  const lines: string[] = [];
  const leases: string[] = [];
  const advertiser = routeAdvertiser(PLAIN_ROUTE, {
    read: (queries) =>
      Promise.resolve(
        queries.map(() => ({
          routes: (lines.length === 0 ? scene.before : scene.after) ?? [],
          link: scene.link ?? 'up',
          pathInterface: 'path' in scene ? scene.path : 'bond0',
        })),
      ),
    batch: (batch) => {
      lines.push(...batch);
      return Promise.resolve(batch.map(() => scene.refusal));
    },
    leases: scene.leases ?? {
      set: (address, leaseMs) => leases.push(`${address} ${leaseMs}`),
      end: (address) => leases.push(`${address} end`),
    },
  });
  return { advertiser, lines, leases };
}

function change(verb: Change['verb']): readonly Change[] {
  return [{ verb, place: PLACE }];
}

describe('the view of routes', () => {
  test('tells ours, theirs and what is in the way apart', async () => {
    const foreign = { ...OURS, protocol: 4, metric: 50 };
    const { advertiser } = advertiserOn({ before: [OURS, foreign] });
    expect(await advertiser.read([PLACE])).toEqual({
      present: new Set([PLACE.address]),
      moved: new Set(),
      outdated: new Set(),
      foreign: new Map([[PLACE.address, '192.0.2.153/32 dev bond0 proto static metric 50']]),
      obstacle: undefined,
      advice: [],
    });
  });

  test('does not count routes in other tables, nor those of routing daemons', async () => {
    const others = [2, 4].map((protocol) => ({ ...OURS, protocol, table: '255' }));
    const daemons = [11, 12, 186, 188, 196].map((protocol) => ({ ...OURS, protocol, metric: 20 }));
    const { advertiser } = advertiserOn({ before: [...others, ...daemons] });
    const view = await advertiser.read([PLACE]);
    expect([view.present.size, view.foreign?.size]).toEqual([0, 0]);
  });

  test.each([
    ['another device', { device: 'bond1' }],
    ['a gateway', { gateway: '198.51.100.1' }],
    ['another metric', { metric: 7 }],
    ['another table', { table: '100' }],
    ['a source', { source: '198.51.100.2' }],
  ])('knows ours with %s as outdated', async (_, difference) => {
    const { advertiser } = advertiserOn({ before: [{ ...OURS, ...difference }] });
    const view = await advertiser.read([PLACE]);
    expect(view.present).toEqual(new Set([PLACE.address]));
    expect(view.outdated).toEqual(new Set([PLACE.address]));
  });

  test.each([
    ['absent', 'interface bond0 is missing'],
    ['down', 'interface bond0 is down'],
  ] as const)('tells an interface that is %s', async (link, obstacle) => {
    const { advertiser } = advertiserOn({ link, path: undefined });
    expect(await advertiser.read([PLACE])).toMatchObject({ obstacle, advice: [] });
  });

  test.each([
    ['eth0', 'leave through eth0, not bond0'],
    [undefined, 'have no route'],
  ])('warns of handshakes that go through %s', async (path, message) => {
    const { advertiser } = advertiserOn({ path });
    const { advice } = await advertiser.read([PLACE]);
    expect(advice).toMatchObject([{ message: expect.stringContaining(message) as string }]);
  });
});

describe('changes of routes', () => {
  test('set the lease before the route is there, and end it when it is gone', async () => {
    const added = advertiserOn({ after: [OURS] });
    expect(await added.advertiser.apply(change('add'), 5000)).toEqual([]);
    expect(added.leases).toEqual(['192.0.2.153 5000']);
    const removed = advertiserOn({ before: [OURS] });
    expect(await removed.advertiser.apply(change('remove'), 5000)).toEqual([]);
    expect(removed.leases).toEqual(['192.0.2.153 end']);
    const forEver = advertiserOn({ after: [OURS] });
    await forEver.advertiser.apply(change('add'), undefined);
    expect(forEver.leases).toEqual(['192.0.2.153 end']);
  });

  test('add nothing whose lease cannot be kept, and remove what they can all the same', async () => {
    const full = (): never => {
      throw new StateError('no space left');
    };
    const leases = { set: full, end: full };
    const adding = advertiserOn({ leases, after: [OURS] });
    await expect(adding.advertiser.apply(change('add'), 5000)).rejects.toThrow(StateError);
    expect(adding.lines).toEqual([]);
    const removing = advertiserOn({ leases, before: [OURS] });
    expect(await removing.advertiser.apply(change('remove'), 5000)).toEqual([]);
    expect(removing.lines).toHaveLength(1);
  });

  test('renew an IPv4 route without touching it', async () => {
    const { advertiser, lines, leases } = advertiserOn({ before: [OURS] });
    expect(await advertiser.apply(change('renew'), 5000)).toEqual([]);
    expect([lines, leases]).toEqual([[], ['192.0.2.153 5000']]);
  });

  test('fail where the kernel shows something else, with its reason if it gave one', async () => {
    const refusal = 'RTNETLINK answers: Operation not permitted';
    const refused = advertiserOn({ refusal });
    expect(await refused.advertiser.apply(change('add'), 5000)).toMatchObject([
      { message: refusal, notPermitted: true },
    ]);
    const ignored = advertiserOn({ after: [] });
    expect(await ignored.advertiser.apply(change('add'), 5000)).toMatchObject([
      { message: 'the kernel took it, but shows no route', notPermitted: false },
    ]);
    const stuck = advertiserOn({ before: [OURS], after: [OURS] });
    expect(await stuck.advertiser.apply(change('remove'), 5000)).toMatchObject([
      { message: 'the kernel took it, but shows 192.0.2.153/32 dev bond0 proto 121' },
    ]);
  });

  test('succeed where the kernel refuses what is done already', async () => {
    const { advertiser } = advertiserOn({ before: [OURS], refusal: 'No such process' });
    expect(await advertiser.apply(change('remove'), 5000)).toEqual([]);
  });

  test('know no drain', async () => {
    const { advertiser } = advertiserOn({});
    expect(advertiser.canDrain).toBe(false);
    expect(await advertiser.drained()).toEqual(new Set());
  });
});

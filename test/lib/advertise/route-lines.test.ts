import { describe, expect, test } from 'vitest';
import type { Change } from '../../../src/lib/advertise/advertiser.ts';
import type { KernelRoute } from '../../../src/lib/advertise/kernel-routes.ts';
import { PLAIN_ROUTE, routeLines } from '../../../src/lib/advertise/route-advertiser.ts';

const FOUR = { address: '192.0.2.153', interface: 'bond0' };
const SIX = { address: '2001:db8::153', interface: 'bond0' };
const LEASE_MS = 300_000;

function shown(changes: Partial<KernelRoute> = {}): KernelRoute {
  const plain = { isBehind: false, gateway: undefined, metric: 0, source: undefined };
  return { protocol: 121, table: '254', device: 'bond0', ...plain, ...changes };
}

function lines(
  verb: Change['verb'],
  place: Change['place'],
  present: readonly KernelRoute[],
  route: Partial<typeof PLAIN_ROUTE> = {},
  leaseMs: number | undefined = LEASE_MS,
): readonly string[] {
  return routeLines({ verb, place }, present, { ...PLAIN_ROUTE, ...route }, leaseMs);
}

describe('a route', () => {
  test('that is not there is added, never put in place of another', () => {
    expect(lines('add', FOUR, [])).toEqual([
      'route add 192.0.2.153/32 dev bond0 proto 121 table 254',
    ]);
    const others = [shown({ protocol: 4 }), shown({ protocol: 188, metric: 20 })];
    expect(lines('add', FOUR, others)).toEqual(lines('add', FOUR, []));
  });

  test('has a lifetime where the kernel keeps one', () => {
    expect(lines('add', SIX, [])).toEqual([
      'route add 2001:db8::153/128 dev bond0 proto 121 table 254 expires 300',
    ]);
    expect(lines('renew', SIX, [shown({ metric: 1024 })])).toEqual([
      'route replace 2001:db8::153/128 dev bond0 proto 121 table 254 expires 300',
    ]);
    expect(lines('renew', FOUR, [shown()])).toEqual([]);
  });

  test('has all that is asked for', () => {
    const route = { via: '198.51.100.1', metric: 7, table: '100', src: '198.51.100.2' };
    expect(lines('add', FOUR, [], route)).toEqual([
      'route add 192.0.2.153/32 via 198.51.100.1 dev bond0 proto 121 table 100 metric 7 src 198.51.100.2',
    ]);
  });

  test('that is ours and other than asked for is replaced where it has the same metric', () => {
    expect(lines('renew', FOUR, [shown({ device: 'bond1' })])).toEqual([
      'route replace 192.0.2.153/32 dev bond0 proto 121 table 254',
    ]);
  });

  test('with another metric comes before the old one goes', () => {
    expect(lines('renew', FOUR, [shown()], { metric: 7 })).toEqual([
      'route add 192.0.2.153/32 dev bond0 proto 121 table 254 metric 7',
      'route del 192.0.2.153/32 dev bond0 table 254 metric 0 proto 121',
    ]);
  });

  test('of somebody else in the same place stays, whatever ours needs', () => {
    const via = '2001:db8::a';
    const own = shown({ metric: 1024, gateway: via });
    const others = [
      shown({ metric: 1024, device: 'bond1', protocol: 4 }),
      shown({ metric: 1024, gateway: '2001:db8::b', isBehind: true }),
    ];
    const renewed =
      'route append 2001:db8::153/128 via 2001:db8::a dev bond0 proto 121 table 254 expires 300';
    for (const other of others) {
      expect(lines('renew', SIX, [own, other], { via })).toEqual([renewed]);
      expect(
        lines('renew', SIX, [shown({ ...own, gateway: '2001:db8::c' }), other], { via }),
      ).toEqual([
        renewed,
        'route del 2001:db8::153/128 via 2001:db8::c dev bond0 table 254 metric 1024 proto 121',
      ]);
      expect(lines('remove', SIX, [own, other], { via })[0]).toBe(
        'route del 2001:db8::153/128 via 2001:db8::a dev bond0 table 254 metric 1024 proto 121',
      );
    }
  });

  test('behind that of somebody else is known by its gateway', () => {
    const theirs = shown({ protocol: 4, metric: 1024, gateway: '2001:db8::b' });
    const behind = shown({ protocol: 4, metric: 1024, gateway: '2001:db8::a', isBehind: true });
    expect(lines('renew', SIX, [theirs, behind], { via: '2001:db8::a' })).toEqual([
      'route append 2001:db8::153/128 via 2001:db8::a dev bond0 proto 121 table 254 expires 300',
    ]);
    // The kernel deletes it if it has our protocol.
    expect(lines('remove', SIX, [theirs, behind])).toEqual([
      'route del 2001:db8::153/128 via 2001:db8::a dev bond0 table 254 metric 1024 proto 121',
    ]);
  });

  test('is removed by protocol, device, table and metric, and others are not', () => {
    const present = [shown({ protocol: 3 }), shown({ table: '100', metric: 9 }), shown()];
    expect(lines('remove', FOUR, present)).toEqual([
      'route del 192.0.2.153/32 dev bond0 table 100 metric 9 proto 121',
      'route del 192.0.2.153/32 dev bond0 table 254 metric 0 proto 121',
    ]);
    expect(lines('remove', FOUR, [shown({ protocol: 4 })])).toEqual([]);
  });
});

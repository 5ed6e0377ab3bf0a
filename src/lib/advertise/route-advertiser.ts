import { hostPrefix } from '../system/ip-address.ts';
import type { ServiceAddress } from '../state/instance-state.ts';
import { StateError } from '../system/errors.ts';
import type { Advertiser, Change, Failure, KernelView } from './advertiser.ts';
import { describeRoute, foreignRoute } from './foreign-routes.ts';
import type { IpBatch, LineResult } from './ip-batch.ts';
import {
  deleteRouteLine,
  MAIN_TABLE,
  ROUTE_PROTOCOL,
  type KernelRoute,
  type RouteFindings,
  type RouteReader,
} from './kernel-routes.ts';
import { withdrawLines } from './withdraw-lines.ts';

/** How a host route is made, beside its address and interface. */
export interface RouteOptions {
  /** undefined: the kernel's own, 0 for IPv4 and 1024 for IPv6. */
  readonly metric: number | undefined;
  /** The number of the table; undefined: the main one. */
  readonly table: string | undefined;
  readonly via: string | undefined;
  readonly src: string | undefined;
  /** The source address of the handshakes, for which their path is looked at. */
  readonly source: string | undefined;
}

/** A route without anything special, and all there is to know where routes are only removed. */
export const PLAIN_ROUTE: RouteOptions = {
  metric: undefined,
  table: undefined,
  via: undefined,
  src: undefined,
  source: undefined,
};

/**
 * Where the leases of routes are kept, which the kernel does not keep for all of them. Both throw
 * StateError.
 */
export interface RouteLeases {
  set(address: string, leaseMs: number): void;
  end(address: string): void;
}

export interface RoutePorts {
  readonly read: RouteReader;
  readonly batch: IpBatch;
  readonly leases: RouteLeases;
}

/**
 * Advertises by host routes in the kernel, which the routing daemon announces. Ours are those with
 * our protocol number, in whatever table; all others are left alone.
 */
export function routeAdvertiser(route: RouteOptions, ports: RoutePorts): Advertiser {
  const findings = (places: readonly ServiceAddress[]): Promise<readonly RouteFindings[]> =>
    ports.read(
      places.map(({ address, interface: device }) => ({
        address,
        interface: device,
        source: route.source,
      })),
    );
  return {
    kind: 'route',
    canDrain: false,
    drainInterface: undefined,
    hasDrainInterface: () => false,
    prepareDrain: () => Promise.resolve(),
    read: async (places) => view(places, await findings(places), route),
    apply: async (changes, leaseMs) => {
      const places = changes.map(({ place }) => place);
      const before = await findings(places);
      for (const { verb, place } of changes) {
        if (verb !== 'add' && verb !== 'renew') continue;
        if (leaseMs === undefined) ports.leases.end(place.address);
        else ports.leases.set(place.address, leaseMs);
      }
      const lines = changes.map((change, index) =>
        routeLines(change, before[index]?.routes ?? [], route, leaseMs),
      );
      const results = await ports.batch(lines.flat());
      if (results.length === 0) return [];
      const after = await findings(places);
      const failures: Failure[] = [];
      let next = 0;
      for (const [index, change] of changes.entries()) {
        const count = lines[index]?.length ?? 0;
        const refused = results.slice(next, next + count);
        next += count;
        const routes = after[index]?.routes ?? [];
        failures.push(...failuresOf(change, routes, refused, route));
        if (change.verb === 'remove' && ours(routes, change.place, route).length === 0) {
          endQuietly(ports.leases, change.place.address);
        }
      }
      return failures;
    },
    withdrawLines: (places) =>
      withdrawLines('route', places, {
        route: { table: tableOf(route), via: route.via },
        metricOf: (address) => metricOf(address, route),
      }),
    drained: () => Promise.resolve(new Set()),
  };
}

/** The lease of a route that is gone may stay where it cannot be removed: it ends by itself. */
function endQuietly(leases: RouteLeases, address: string): void {
  try {
    leases.end(address);
  } catch (error) {
    if (!(error instanceof StateError)) throw error;
  }
}

/**
 * The lines for `ip -batch` that make a change. What is to be added never replaces a route of
 * somebody else: `replace` is used only where a route of ours is in that very place, and nobody
 * else's, for it takes whatever comes first there, and for IPv6 all next hops. Where somebody
 * else's is, `append` makes ours anew, or gives it a new lifetime: the kernel says then that it
 * exists, which is no failure when the route is looked at again (fib6_add_rt2node in
 * net/ipv6/ip6_fib.c).
 *
 * @param present the host routes to the address
 */
export function routeLines(
  { verb, place }: Change,
  present: readonly KernelRoute[],
  route: RouteOptions,
  leaseMs: number | undefined,
): readonly string[] {
  const own = ours(present, place, route);
  if (verb === 'remove') {
    // One whose protocol is not shown may be ours; the kernel deletes it only if it is.
    const perhaps = present.filter((old) => own.includes(old) || old.isBehind);
    return perhaps.map((old) => deleteRouteLine(place.address, old));
  }
  if (verb !== 'add' && verb !== 'renew') return [];
  const six = place.address.includes(':');
  const isSamePlace = (old: KernelRoute): boolean =>
    old.table === tableOf(route) && old.metric === metricOf(place.address, route);
  const shares = present.some((other) => !own.includes(other) && isSamePlace(other));
  const stale = own.filter((old) => (shares ? !isWanted(old, place, route) : !isSamePlace(old)));
  const removals = stale.map((old) => deleteRouteLine(place.address, old));
  // Only IPv6 routes have a lifetime in the kernel: as configured, an IPv4 one needs no renewal.
  if (!six && own.some((old) => isWanted(old, place, route))) return removals;
  const manner = !own.some(isSamePlace) ? 'add' : shares ? 'append' : 'replace';
  const { metric, via, src } = route;
  const words = [
    `route ${manner}`,
    hostPrefix(place.address),
    via === undefined ? '' : `via ${via}`,
    `dev ${place.interface}`,
    `proto ${ROUTE_PROTOCOL}`,
    `table ${tableOf(route)}`,
    metric === undefined ? '' : `metric ${metric}`,
    src === undefined ? '' : `src ${src}`,
    six && leaseMs !== undefined ? `expires ${Math.ceil(leaseMs / 1000)}` : '',
  ];
  // The new one first: a route that moves is never absent.
  return [words.filter((word) => word !== '').join(' '), ...removals];
}

function view(
  places: readonly ServiceAddress[],
  findings: readonly RouteFindings[],
  route: RouteOptions,
): KernelView {
  const present = new Set<string>();
  const outdated = new Set<string>();
  const foreign = new Map<string, string>();
  const advice: { key: string; message: string }[] = [];
  let obstacle: string | undefined;
  for (const [index, place] of places.entries()) {
    const found = findings[index];
    if (found === undefined) continue;
    const { address, interface: device } = place;
    const own = ours(found.routes, place, route);
    const others = found.routes.filter((one) => !own.includes(one));
    if (own.length > 0) present.add(address);
    if (own.some((old) => !isWanted(old, place, route))) outdated.add(address);
    const other = foreignRoute(others, tableOf(route));
    if (other !== undefined) foreign.set(address, describeRoute(address, other));
    if (found.link !== 'up') {
      obstacle = `interface ${device} is ${found.link === 'down' ? 'down' : 'missing'}`;
    } else if (found.pathInterface !== device) {
      advice.push(otherPath(place, found.pathInterface));
    }
  }
  return { present, moved: new Set(), obstacle, outdated, foreign, advice };
}

function otherPath(
  { address, interface: device }: ServiceAddress,
  path: string | undefined,
): { readonly key: string; readonly message: string } {
  const way = path === undefined ? 'have no route' : `leave through ${path}, not ${device}`;
  return {
    key: `path ${address} ${path ?? ''}`,
    message: `handshakes with ${address} ${way}: see PATH OF THE HANDSHAKES in tcp-route-probe(8)`,
  };
}

/** A next hop whose protocol is not shown is ours where it is what we want: nobody has it twice. */
function ours(
  routes: readonly KernelRoute[],
  place: ServiceAddress,
  route: RouteOptions,
): readonly KernelRoute[] {
  return routes.filter((found) =>
    found.isBehind ? isWanted(found, place, route) : found.protocol === ROUTE_PROTOCOL,
  );
}

function isWanted(found: KernelRoute, place: ServiceAddress, route: RouteOptions): boolean {
  return (
    found.device === place.interface &&
    found.table === tableOf(route) &&
    found.metric === metricOf(place.address, route) &&
    found.gateway === route.via &&
    found.source === route.src
  );
}

function tableOf({ table }: RouteOptions): string {
  return table ?? MAIN_TABLE;
}

/** Without a metric, IPv6 routes get IP6_RT_PRIO_USER (linux/ipv6_route.h). */
function metricOf(address: string, { metric }: RouteOptions): number {
  return metric ?? (address.includes(':') ? 1024 : 0);
}

/** What the kernel refused counts only where it also shows. */
function failuresOf(
  change: Change,
  after: readonly KernelRoute[],
  refused: readonly LineResult[],
  route: RouteOptions,
): readonly Failure[] {
  const own = ours(after, change.place, route);
  const isDone =
    change.verb === 'remove'
      ? own.length === 0
      : own.length === 1 && own.every((found) => isWanted(found, change.place, route));
  if (isDone) return [];
  const refusal = refused.find((result) => result !== undefined);
  const shown = own.map((found) => describeRoute(change.place.address, found)).join(', ');
  return [
    {
      change,
      message: refusal ?? `the kernel took it, but shows ${shown === '' ? 'no route' : shown}`,
      notPermitted: refusal?.includes('Operation not permitted') === true,
    },
  ];
}

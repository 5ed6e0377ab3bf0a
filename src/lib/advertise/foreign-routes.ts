import { hostPrefix } from '../system/ip-address.ts';
import { type KernelRoute } from './kernel-routes.ts';

/**
 * The protocols under which routing daemons put into the kernel what they learned from neighbours
 * or were configured with (linux/rtnetlink.h; FRR's zebra/rt_netlink.h for 190 to 198). They do
 * not announce those as routes of the kernel: an anycast neighbour's announcement of the same
 * address is expected there, and no reason to leave out our own.
 */
const DAEMON_PROTOCOLS: ReadonlySet<number> = new Set([
  8, 10, 11, 12, 13, 14, 15, 42, 186, 187, 188, 189, 190, 191, 192, 193, 194, 195, 196, 197, 198,
]);

/** Names of protocols that people meet (/etc/iproute2/rt_protos). */
const NAMES: ReadonlyMap<number, string> = new Map([
  [2, 'kernel'],
  [3, 'boot'],
  [4, 'static'],
  [9, 'ra'],
  [16, 'dhcp'],
  [18, 'keepalived'],
]);

/**
 * The route that somebody else put into a table for the same address, and that is announced as
 * ours would be.
 *
 * @param routes all but ours
 */
export function foreignRoute(
  routes: readonly KernelRoute[],
  table: string,
): KernelRoute | undefined {
  return routes.find((route) => route.table === table && !DAEMON_PROTOCOLS.has(route.protocol));
}

/** A route in the words of ip(8). */
export function describeRoute(address: string, route: KernelRoute): string {
  const parts = [
    hostPrefix(address),
    route.gateway === undefined ? '' : `via ${route.gateway}`,
    route.device === undefined ? '' : `dev ${route.device}`,
    route.isBehind ? '' : `proto ${NAMES.get(route.protocol) ?? route.protocol}`,
    route.metric === 0 ? '' : `metric ${route.metric}`,
  ];
  return parts.filter((part) => part !== '').join(' ');
}

import { readFileSync } from 'node:fs';
import type { ServiceAddress } from '../state/instance-state.ts';

/**
 * The kernel gives an IPv6 address a route of its own in the main table, `ADDR dev lo proto kernel
 * metric 256`. That of an address with a lifetime stays when the address goes, whether it is
 * deleted or its lifetime ends (seen from Linux 6.1 to 6.18). On the node itself it is a black
 * hole; so whoever takes the address out removes it too, and the next pass of any instance removes
 * what a lease that ran out has left.
 */
const METRIC = 256;

/** The line for `ip -batch` that removes it. It fails where the kernel did so by itself. */
export function deleteLeftover({ address, interface: device }: ServiceAddress): string {
  return `route del ${address}/128 dev ${device} table main proto kernel metric ${METRIC}`;
}

/**
 * Where addresses that are on no interface have such a route. Starts no process and opens no
 * socket; the routing table, which may be long, is read only where an address is absent.
 *
 * @param addresses IPv6 addresses
 */
export function leftoverRoutes(addresses: readonly string[]): readonly ServiceAddress[] {
  if (addresses.length === 0) return [];
  // Each line begins with an address: in hex, as in the table of routes.
  const present = new Set(linesOf('/proc/net/if_inet6').map(([address]) => address));
  const absent = new Map(
    addresses
      .map((address) => [hex(address), address] as const)
      .filter(([digits]) => !present.has(digits)),
  );
  if (absent.size === 0) return [];
  // Destination, its length, source, its length, next hop, metric, use, count, flags, device.
  return linesOf('/proc/net/ipv6_route').flatMap((fields) => {
    const [destination = '', length, , , , metric = '', , , , device] = fields;
    const address = absent.get(destination);
    if (address === undefined || device === undefined) return [];
    const isLeftover = length === '80' && parseInt(metric, 16) === METRIC;
    return isLeftover ? [{ address, interface: device }] : [];
  });
}

/** The fields of each line; none where the kernel has no IPv6. */
function linesOf(path: string): readonly (readonly string[])[] {
  try {
    return readFileSync(path, 'latin1')
      .split('\n')
      .map((line) => line.split(/ +/));
  } catch {
    return [];
  }
}

/** An IPv6 address as /proc writes it: 32 digits. */
function hex(address: string): string {
  const [head = '', tail] = address.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const left = groups(head);
  const right = groups(tail ?? '');
  const zeros = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0');
  return [...left, ...zeros, ...right].map((group) => group.padStart(4, '0')).join('');
}

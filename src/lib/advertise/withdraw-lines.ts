import type { ServiceAddress } from '../state/instance-state.ts';
import { hostPrefix } from '../system/ip-address.ts';
import type { Advertiser } from './advertiser.ts';
import { deleteDrainRoute } from './drain-routes.ts';
import { deleteRouteLine, ROUTE_PROTOCOL } from './kernel-routes.ts';
import { deleteLeftover } from './leftover-routes.ts';

/** How the places of an instance are in the kernel, beside where they are. */
export interface WithdrawOptions {
  /** Of host routes: all that tells ours apart from others to the same address. */
  readonly route?: { readonly table: string; readonly via: string | undefined };
  /** The metric of the route to an address. */
  readonly metricOf?: (address: string) => number;
}

/**
 * The lines for `ip -force -batch` that take places out of the kernel. Each names all that tells
 * ours apart: the kernel deletes the first route that fits what is named.
 */
export function withdrawLines(
  kind: Advertiser['kind'],
  places: readonly ServiceAddress[],
  { route, metricOf = () => 0 }: WithdrawOptions = {},
): readonly string[] {
  return places.flatMap((place) => {
    const { address, interface: device } = place;
    if (kind === 'address') {
      const removal = `addr del ${hostPrefix(address)} dev ${device}`;
      return address.includes(':') ? [removal, deleteLeftover(place)] : [removal];
    }
    if (route === undefined) return [];
    const metric = metricOf(address);
    const ours = { protocol: ROUTE_PROTOCOL, isBehind: false, source: undefined, metric, device };
    return [deleteRouteLine(address, { ...ours, table: route.table, gateway: route.via })];
  });
}

/**
 * The lines that end a drain: the address on the drain interface, where it may still be announced,
 * and the local route that answers for it.
 *
 * @param drainInterface undefined: there is none
 */
export function drainWithdrawLines(
  addresses: readonly string[],
  drainInterface: string | undefined,
): readonly string[] {
  return addresses.flatMap((address) => {
    const places = drainInterface === undefined ? [] : [{ address, interface: drainInterface }];
    return [...withdrawLines('address', places), deleteDrainRoute(address)];
  });
}

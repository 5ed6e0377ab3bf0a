import { networkInterfaces } from 'node:os';
import { isLoopback, type IpAddress } from './ip-address.ts';

/**
 * Whether packets to an address of this node are lost because `lo` is down: the kernel drops them
 * there without an error, also those to addresses of other interfaces. To be asked when there was
 * no answer, to tell that from a silent service.
 */
export function isLostOnLoopback(target: IpAddress): boolean {
  let infos;
  try {
    infos = Object.values(networkInterfaces()).flatMap((ofInterface) => ofInterface ?? []);
  } catch {
    return false; // no files left to ask the kernel with
  }
  // Node lists only interfaces that are up; `internal` is the loopback (IFF_LOOPBACK).
  if (infos.some((info) => info.internal)) return false;
  return isLoopback(target) || infos.some((info) => info.address === target.text);
}

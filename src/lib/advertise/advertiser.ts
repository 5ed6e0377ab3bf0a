import { hostPrefix } from '../system/ip-address.ts';
import type { ServiceAddress } from '../state/instance-state.ts';

/** One change in the kernel, for one service address. */
export interface Change {
  /**
   * `add`: put it in, with the lease; `renew`: set its lease anew; `remove`: take it out;
   * `drain`: answer it through a local route that no routing protocol announces; `end-drain`:
   * remove that route.
   */
  readonly verb: 'add' | 'renew' | 'remove' | 'drain' | 'end-drain';
  readonly place: ServiceAddress;
}

/** A change that the kernel refused, or that it does not show although it took it. */
export interface Failure {
  readonly change: Change;
  readonly message: string;
  /** The privilege is missing: another exit status than for the rest. */
  readonly notPermitted: boolean;
}

/** What the kernel shows of an instance's places. */
export interface KernelView {
  /** The addresses that are there. */
  readonly present: ReadonlySet<string>;
  /** Why nothing can be advertised now: an interface is missing or down. */
  readonly obstacle: string | undefined;
  /** Ours and there, but not as configured: they are renewed as soon as anything may be. */
  readonly outdated?: ReadonlySet<string>;
  /**
   * What somebody else keeps for an address, in words for people. It is never touched, and ours is
   * not added beside it.
   */
  readonly foreign?: ReadonlyMap<string, string>;
  /** What else an operator should know, each said once. */
  readonly advice?: readonly { readonly key: string; readonly message: string }[];
}

/** Advertises by what it puts into the kernel: service addresses on an interface, or host routes. */
export interface Advertiser {
  readonly kind: 'address' | 'route';
  /** Whether `drain` is possible: a local route can stand in for an address, not for a route. */
  readonly canDrain: boolean;
  /** Reads the places. Throws KernelError when the kernel cannot be read. */
  read(places: readonly ServiceAddress[]): Promise<KernelView>;
  /** Applies changes in the given order, then reads the kernel again and compares. */
  apply(changes: readonly Change[], leaseMs: number | undefined): Promise<readonly Failure[]>;
  /** The lines for `ip -batch` that take places out, whoever hands them to it. */
  withdrawLines(places: readonly ServiceAddress[]): readonly string[];
  /** The addresses that have a drain route now. Throws KernelError. */
  drained(): Promise<ReadonlySet<string>>;
}

/** How a place is shown to people and compared with another. */
export function addressLabel(place: ServiceAddress): string {
  return `${hostPrefix(place.address)} dev ${place.interface}`;
}

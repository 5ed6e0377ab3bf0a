import { hostPrefix } from '../system/ip-address.ts';
import type { ServiceAddress } from '../state/instance-state.ts';

/** One change in the kernel, for one service address. */
export interface Change {
  /**
   * `add`: put it in, with the lease; `renew`: set its lease anew; `remove`: take it out;
   * `move`: put it on the drain interface; `end-move`: take it off there; `drain`: answer it through
   * a local route that no routing protocol announces; `end-drain`: remove that route.
   */
  readonly verb: 'add' | 'renew' | 'remove' | 'move' | 'end-move' | 'drain' | 'end-drain';
  readonly place: ServiceAddress;
  /** Of a move: how long the kernel keeps it there, in seconds. */
  readonly seconds?: number;
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
  /** All addresses on the drain interface, whoever's they are. */
  readonly moved: ReadonlySet<string>;
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
  /**
   * The interface on which an address spends the first half of its drain; undefined: none is wanted,
   * and the drain is by local routes alone.
   */
  readonly drainInterface: string | undefined;
  /** Whether the node has that interface. */
  hasDrainInterface(): boolean;
  /** Makes that interface where it is missing. Throws KernelError where that is not possible. */
  prepareDrain(): Promise<void>;
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

/** The same changes with nothing added or renewed: what is drained goes on being so. */
export function withoutReturns(planned: readonly Change[]): readonly Change[] {
  const returning = new Set(
    planned.filter(({ verb }) => verb === 'add').map(({ place }) => place.address),
  );
  return planned.filter(
    ({ verb, place }) => verb !== 'renew' && (verb === 'remove' || !returning.has(place.address)),
  );
}

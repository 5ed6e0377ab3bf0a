import type { RunCommand } from '../system/command.ts';
import { KernelError } from '../system/errors.ts';
import { isKnownDevice } from './kernel-addresses.ts';
import { ipBatch } from './ip-batch.ts';

/**
 * The interface to which a service address moves when its node leaves as planned. A routing daemon
 * that goes by `lo` withdraws it then; one with an entry for this interface announces it as a last
 * resort, so that a router that knows no other way yet keeps this one. It is the node's own address
 * all the while, with a lifetime: the kernel takes it away, whoever was killed meanwhile.
 */
export const DRAIN_INTERFACE = 'ha-drain';

/** How long a drain lasts where nobody says. */
export const DRAIN_MS = 10_000;

/** One such interface, for the instances of a process. */
export interface DrainInterface {
  readonly name: string;
  /** Whether the node has it. */
  isThere(): boolean;
  /** Makes it where it is missing. Throws KernelError where that is not possible. */
  prepare(): Promise<void>;
}

/** Drain interfaces that many instances share, so that one of them makes each. */
export function drainInterfaces(run: RunCommand): (name: string) => DrainInterface {
  const underWay = new Map<string, Promise<void>>();
  return (name) => ({
    name,
    isThere: () => isKnownDevice(name),
    prepare: async () => {
      if (isKnownDevice(name) && !underWay.has(name)) return;
      const making = underWay.get(name) ?? makeDrainInterface(run, name);
      underWay.set(name, making);
      try {
        await making;
      } finally {
        underWay.delete(name);
      }
    },
  });
}

/** The first half of a drain: how long the address stays on the interface, in whole seconds. */
export function secondsOnDrainInterface(drainMs: number): number {
  return Math.max(1, Math.ceil(drainMs / 2000));
}

/**
 * Makes the interface where it is missing: a dummy, else a pair of veth, for not every kernel has
 * the former. Without an address of its own (`addrgenmode none`), for it would be announced where a
 * daemon announces whatever is connected.
 *
 * @throws KernelError where it can be neither
 */
async function makeDrainInterface(run: RunCommand, name: string): Promise<void> {
  const batch = ipBatch(run, 0);
  const peer = peerOf(name);
  let [refused] = await batch([`link add ${name} type dummy`]);
  if (refused !== undefined) {
    [refused] = await batch([`link add ${name} type veth peer name ${peer}`]);
  }
  // Another pass may have made it in the same moment: what counts is that it is there.
  if (!isKnownDevice(name))
    throw new KernelError(`cannot make ${name}: ${refused ?? 'it is gone'}`);
  const ends = isKnownDevice(peer) ? [name, peer] : [name];
  // The kernel may be without IPv6: then there is no address to be kept off.
  await batch(ends.map((end) => `link set ${end} addrgenmode none`));
  const dead = (await batch(ends.map((end) => `link set ${end} up`))).find((line) => line);
  if (dead !== undefined) throw new KernelError(`cannot bring ${name} up: ${dead}`);
}

/** The other end of a pair; names have at most 15 bytes (IFNAMSIZ in net/if.h). */
function peerOf(name: string): string {
  return `${name.slice(0, 13)}-p`;
}

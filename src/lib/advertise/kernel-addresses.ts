import { hostLength } from '../system/ip-address.ts';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import * as v from 'valibot';
import type { RunCommand } from '../system/command.ts';
import { KernelError, messageOf } from '../system/errors.ts';

/** The host prefixes (/32, /128) of an interface. */
export interface InterfaceAddresses {
  /** `absent`: there is no such interface; `down`: it cannot carry anything. */
  readonly link: 'up' | 'down' | 'absent';
  /** Address to the seconds the kernel will keep it; undefined where that is not known. */
  readonly addresses: ReadonlyMap<string, number | undefined>;
  /** Where else the node has one of the wanted addresses: with another prefix, or elsewhere. */
  readonly copies?: readonly Copy[];
  /** The host prefixes of the drain interface. */
  readonly moved?: ReadonlySet<string>;
}

/** An address of the node's that is not a service address, although it reads the same. */
export interface Copy {
  readonly address: string;
  /** In the words of ip(8): `192.0.2.1/24 dev lo`. */
  readonly place: string;
}

/** What `ip` prints for an address without end (INFINITY_LIFE_TIME of linux/if_addr.h). */
export const FOREVER_S = 4_294_967_295;

const READ_TIMEOUT_MS = 5000;

/**
 * Reads an interface without starting a process. Node's list holds every host prefix of an
 * interface that is up; only when the interface is not in that list at all (missing, down,
 * without carrier, without any address), `ip` has to tell. So it has where a wanted address is
 * listed under another name: that is another interface, or a label that somebody chose.
 *
 * @param wanted the addresses that matter
 * @param drainInterface where they may be on their way out, which makes no copy of them
 * @throws KernelError when the kernel does not tell, or `ip` had to be asked and failed
 */
export async function readInterface(
  run: RunCommand,
  name: string,
  list: InterfaceLister,
  wanted: ReadonlySet<string> = new Set(),
  drainInterface?: string,
): Promise<InterfaceAddresses> {
  const addresses = new Map<string, number | undefined>();
  const moved = new Set<string>();
  let listed = false;
  let elsewhere = false;
  for (const [label, infos] of Object.entries(list())) {
    // An IPv4 address with a label of its own is listed under `lo:ha` in place of `lo`.
    const isOwn = label === name || label.startsWith(`${name}:`);
    listed ||= isOwn;
    for (const { address, netmask, family } of infos ?? []) {
      const isHost = netmask === (family === 'IPv4' ? HOST_MASK_4 : HOST_MASK_6);
      if (isOwn && isHost) addresses.set(address, undefined);
      else if (isHost && label === drainInterface) moved.add(address);
      else elsewhere ||= wanted.has(address);
    }
  }
  if (elsewhere) return { ...(await readWantedWithIp(run, name, wanted, drainInterface)), moved };
  if (listed) return { link: 'up', addresses, moved };
  return isKnownDevice(name)
    ? { ...(await readInterfaceWithIp(run, name)), moved }
    : { link: 'absent', addresses: new Map(), moved };
}

/** The same by `ip`, of all interfaces: what is on this one, and what is a copy. Throws KernelError. */
async function readWantedWithIp(
  run: RunCommand,
  name: string,
  wanted: ReadonlySet<string>,
  drainInterface: string | undefined,
): Promise<InterfaceAddresses> {
  const result = await run('ip', ['-json', 'addr', 'show'], { timeoutMs: READ_TIMEOUT_MS });
  const parsed = v.safeParse(IpAddrShow, parseJson(result.stdout));
  if (result.exitCode !== 0 || !parsed.success) {
    throw new KernelError(`cannot read addresses: ${result.failure ?? result.stderr.trim()}`);
  }
  const copies = parsed.output.flatMap((device) =>
    (device.addr_info ?? []).flatMap(({ local = '', prefixlen = 0 }) => {
      const isHost = prefixlen === hostLength(local);
      const isOwn = isHost && [name, drainInterface].includes(device.ifname);
      if (!wanted.has(local) || isOwn) return [];
      return [{ address: local, place: `${local}/${prefixlen} dev ${device.ifname ?? '?'}` }];
    }),
  );
  const own = parsed.output.find(({ ifname }) => ifname === name);
  return own === undefined
    ? { link: 'absent', addresses: new Map(), copies }
    : { ...addressesOf(own), copies };
}

/** All addresses of this node that are up, loopback included. Throws KernelError. */
export function localAddresses(): ReadonlySet<string> {
  const all = Object.values(listInterfaces()).flatMap((infos) => infos ?? []);
  return new Set(all.map(({ address }) => address));
}

/**
 * The interface that has an address as a host prefix, if one has.
 *
 * @param except one that does not count
 */
export function interfaceOf(address: string, except: string): string | undefined {
  for (const [label, infos] of Object.entries(listInterfaces())) {
    if (label === except) continue;
    for (const info of infos ?? []) {
      const isHost = info.netmask === (info.family === 'IPv4' ? HOST_MASK_4 : HOST_MASK_6);
      if (isHost && info.address === address) return label.split(':')[0];
    }
  }
  return undefined;
}

/** Node's list of interfaces. Throws KernelError. */
export type InterfaceLister = () => ReturnType<typeof networkInterfaces>;

/**
 * A lister for many instances: those that look in the same turn of the event loop share a list.
 * Nobody gets an older one: what a pass waited for before it looks, came with that turn.
 */
export function interfaceLister(): InterfaceLister {
  let list: ReturnType<InterfaceLister> | undefined;
  return () => {
    if (list === undefined) {
      list = listInterfaces();
      setImmediate(() => {
        list = undefined;
      });
    }
    return list;
  };
}

/** Asking takes a netlink socket, which this process may not get any more. */
function listInterfaces(): ReturnType<typeof networkInterfaces> {
  try {
    return networkInterfaces();
  } catch (error) {
    throw new KernelError(`cannot read the interfaces: ${messageOf(error)}`, { cause: error });
  }
}

const HOST_MASK_4 = '255.255.255.255';
const HOST_MASK_6 = 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff';

/** All interfaces of our own network namespace are in /proc/net/dev (unlike /sys, see sysfs(5)). */
export function isKnownDevice(name: string): boolean {
  const table = readFileSync('/proc/net/dev', 'latin1');
  return table.split('\n').some((line) => line.trimStart().startsWith(`${name}:`));
}

const IpAddrShow = v.array(
  v.object({
    ifname: v.optional(v.string()),
    flags: v.optional(v.array(v.string())),
    addr_info: v.optional(
      v.array(
        v.object({
          local: v.optional(v.string()),
          prefixlen: v.optional(v.number()),
          valid_life_time: v.optional(v.number()),
        }),
      ),
    ),
  }),
);

/**
 * Reads an interface with `ip`, lifetimes included: one process.
 *
 * @throws KernelError when `ip` fails for another reason than a missing interface
 */
export async function readInterfaceWithIp(
  run: RunCommand,
  name: string,
): Promise<InterfaceAddresses> {
  const result = await run('ip', ['-json', 'addr', 'show', 'dev', name], {
    timeoutMs: READ_TIMEOUT_MS,
  });
  if (result.exitCode !== 0) {
    if (result.stderr.includes('does not exist')) return { link: 'absent', addresses: new Map() };
    throw new KernelError(`cannot read ${name}: ${result.failure ?? result.stderr.trim()}`);
  }
  const parsed = v.safeParse(IpAddrShow, parseJson(result.stdout));
  const device = parsed.success
    ? parsed.output.find(({ ifname }) => ifname !== undefined)
    : undefined;
  if (device === undefined) throw new KernelError(`cannot read ${name}: ip printed something else`);
  return addressesOf(device);
}

function addressesOf(device: v.InferOutput<typeof IpAddrShow>[number]): InterfaceAddresses {
  const addresses = new Map<string, number | undefined>();
  for (const { local, prefixlen, valid_life_time: seconds } of device.addr_info ?? []) {
    if (local !== undefined && prefixlen === hostLength(local)) addresses.set(local, seconds);
  }
  return { link: device.flags?.includes('UP') === true ? 'up' : 'down', addresses };
}

/** JSON as `ip` prints it, which is nothing at all where there is nothing to show. */
export function parseJson(text: string): unknown {
  if (text.trim() === '') return [];
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

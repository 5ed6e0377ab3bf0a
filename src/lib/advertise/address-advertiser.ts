import type { ServiceAddress } from '../state/instance-state.ts';
import { monotonicMs } from '../system/clock.ts';
import type { RunCommand } from '../system/command.ts';
import { addressLabel } from './advertiser.ts';
import type { Advertiser, Change, Failure, KernelView } from './advertiser.ts';
import {
  addDrainRoute,
  awaitOwnRoutes,
  deleteDrainRoute,
  readDrainRoutes,
} from './drain-routes.ts';
import type { DrainInterface } from './drain-interface.ts';
import type { IpBatch, LineResult } from './ip-batch.ts';
import {
  FOREVER_S,
  interfaceLister,
  readInterface,
  readInterfaceWithIp,
  type InterfaceAddresses,
  type InterfaceLister,
} from './kernel-addresses.ts';
import { withdrawLines } from './withdraw-lines.ts';

/**
 * Advertises by service addresses on an interface, usually `lo`.
 *
 * @param drain undefined: no drain interface is wanted
 */
export function addressAdvertiser(
  run: RunCommand,
  batch: IpBatch,
  listInterfaces: InterfaceLister = interfaceLister(),
  drain?: DrainInterface,
): Advertiser {
  return {
    kind: 'address',
    canDrain: true,
    drainInterface: drain?.name,
    hasDrainInterface: () => drain?.isThere() === true,
    prepareDrain: async () => drain?.prepare(),
    read: (places) => {
      const wanted = new Set(places.map(({ address }) => address));
      return view(places, (name) => readInterface(run, name, listInterfaces, wanted, drain?.name));
    },
    apply: async (changes, leaseMs) => {
      const began = monotonicMs();
      const [atOnce, behind] = inTwoSteps(changes);
      const results = await applyLines(batch, atOnce, leaseMs);
      const isAnswering = await awaitOwnRoutes(
        run,
        behind.map(({ place }) => place.address),
      );
      const ready = behind.filter(({ place }) => isAnswering.has(place.address));
      for (const [change, result] of await applyLines(batch, ready, leaseMs)) {
        results.set(change, result);
      }
      const shown = changes.filter(({ seconds }) => !isOver(seconds, monotonicMs() - began));
      return readBack(run, shown, results, leaseMs);
    },
    withdrawLines: (places) => withdrawLines('address', places),
    drained: () => readDrainRoutes(run),
  };
}

/**
 * Changes for one batch, and those that wait for what it brings: the kernel takes an IPv6 address
 * at once, and makes the local route that answers for it a moment later, in a work queue. Until
 * that is there the drain route has to stay, or nothing answers.
 */
function inTwoSteps(changes: readonly Change[]): readonly [readonly Change[], readonly Change[]] {
  const added = new Set(
    changes
      .filter(({ verb }) => verb === 'add' || verb === 'move')
      .map(({ place }) => place.address),
  );
  const waits = ({ verb, place: { address } }: Change): boolean =>
    verb === 'end-drain' && address.includes(':') && added.has(address);
  return [changes.filter((change) => !waits(change)), changes.filter(waits)];
}

/** Whether the lifetime of a move has passed, on a machine so busy that the kernel came before us. */
function isOver(seconds: number | undefined, sinceMs: number): boolean {
  return seconds !== undefined && sinceMs >= seconds * 1000;
}

/** What became of each change, by its first line: what follows that clears up behind it. */
async function applyLines(
  batch: IpBatch,
  changes: readonly Change[],
  leaseMs: number | undefined,
): Promise<Map<Change, LineResult>> {
  const lines = changes.map((change) => batchLines(change, leaseMs));
  const results = await batch(lines.flat());
  return new Map(
    changes.map((change, index) => [change, results[lines.slice(0, index).flat().length]]),
  );
}

/** The lines for `ip -batch` that make a change; only the first one has to succeed. */
export function batchLines(
  { verb, place, seconds }: Change,
  leaseMs: number | undefined,
): string[] {
  const six = place.address.includes(':');
  const target = addressLabel(place);
  switch (verb) {
    case 'add':
    case 'renew':
      // `replace` also where the address is new: it may be put in by hand in the same moment.
      return [`addr replace ${target} ${lifetimes(six, leaseMs)}`];
    case 'move':
      return [`addr replace ${target} ${lifetimes(six, (seconds ?? 1) * 1000)}`];
    case 'remove':
    case 'end-move':
      return [...withdrawLines('address', [place])];
    case 'drain':
      return [addDrainRoute(place.address)];
    case 'end-drain':
      return [deleteDrainRoute(place.address)];
  }
}

/**
 * IPv6: deprecated from the start, so that the node never picks it as a source of its own
 * (RFC 6724 rule 3); no duplicate detection, for anycast is duplicate on purpose (RFC 4291 2.6).
 * With its prefix route, for FRR 10 does not announce an address without one.
 */
function lifetimes(six: boolean, leaseMs: number | undefined): string {
  const valid = leaseMs === undefined ? 'forever' : String(Math.ceil(leaseMs / 1000));
  return six
    ? `valid_lft ${valid} preferred_lft 0 nodad`
    : `valid_lft ${valid} preferred_lft ${valid}`;
}

async function view(
  places: readonly ServiceAddress[],
  read: (name: string) => Promise<InterfaceAddresses>,
): Promise<KernelView> {
  const present = new Set<string>();
  let moved: ReadonlySet<string> = new Set();
  let obstacle: string | undefined;
  const advice = new Map<string, { readonly key: string; readonly message: string }>();
  for (const [name, group] of byInterface(places)) {
    const { link, addresses, copies = [], ...elsewhere } = await read(name);
    moved = elsewhere.moved ?? moved;
    for (const { address, place } of copies) {
      const isAnotherOwn = places.some((own) => place === addressLabel(own));
      if (!isAnotherOwn) advice.set(place, copyAdvice(address, place));
    }
    if (link !== 'up') obstacle = `interface ${name} is ${link === 'down' ? 'down' : 'missing'}`;
    for (const { address } of group) if (addresses.has(address)) present.add(address);
  }
  return { present, moved, obstacle, advice: [...advice.values()] };
}

function copyAdvice(
  address: string,
  place: string,
): { readonly key: string; readonly message: string } {
  return {
    key: `copy ${place}`,
    message: `${address} is on this node a second time, as ${place}: that one is left alone, and may stay announced while ${address} is withdrawn`,
  };
}

function byInterface(
  places: readonly ServiceAddress[],
): ReadonlyMap<string, readonly ServiceAddress[]> {
  const groups = new Map<string, ServiceAddress[]>();
  for (const place of places) {
    const group = groups.get(place.interface);
    if (group === undefined) groups.set(place.interface, [place]);
    else group.push(place);
  }
  return groups;
}

/**
 * What the kernel refused counts only where it also shows: deleting what is gone already is no
 * failure, and neither is a drain route that could not be made once the address is out.
 */
async function readBack(
  run: RunCommand,
  changes: readonly Change[],
  results: ReadonlyMap<Change, LineResult>,
  leaseMs: number | undefined,
): Promise<readonly Failure[]> {
  const kernel = new Map<string, InterfaceAddresses>();
  for (const name of new Set(changes.map(({ place }) => place.interface))) {
    kernel.set(name, await readInterfaceWithIp(run, name));
  }
  const drains = changes.some(({ verb }) => verb === 'drain' || verb === 'end-drain');
  const drained = drains ? await readDrainRoutes(run) : new Set<string>();
  // A drain route that only bridges a move is gone again by now.
  const bridged = new Set(
    changes.filter(({ verb }) => verb === 'end-drain').map(({ place }) => place.address),
  );
  return changes.flatMap((change) => {
    if (change.verb === 'drain' && bridged.has(change.place.address)) return [];
    const seen = kernel.get(change.place.interface)?.addresses;
    const difference = differs(change, seen ?? new Map(), drained, leaseMs);
    if (difference === undefined) return [];
    const refusal = results.get(change);
    return {
      change,
      message: refusal ?? `the kernel took it, but ${difference}`,
      notPermitted: refusal?.includes('Operation not permitted') === true,
    };
  });
}

/** How the kernel differs from what a change should have made of it; undefined: it does not. */
function differs(
  { verb, place: { address }, seconds: movedFor }: Change,
  seen: ReadonlyMap<string, number | undefined>,
  drained: ReadonlySet<string>,
  leaseMs: number | undefined,
): string | undefined {
  switch (verb) {
    case 'add':
    case 'renew':
    case 'move': {
      if (!seen.has(address)) return 'the address is not there';
      const seconds = seen.get(address);
      const leaseS = leaseMs === undefined ? FOREVER_S : Math.ceil(leaseMs / 1000);
      const wanted = movedFor ?? leaseS;
      if (seconds === undefined || seconds <= wanted) return undefined;
      return `it stays for ${seconds === FOREVER_S ? 'ever' : `${seconds} s`} in place of ${wanted} s`;
    }
    case 'remove':
    case 'end-move':
      return seen.has(address) ? 'the address is still there' : undefined;
    case 'drain':
      return drained.has(address) ? undefined : 'the drain route is not there';
    case 'end-drain':
      return drained.has(address) ? 'the drain route is still there' : undefined;
  }
}

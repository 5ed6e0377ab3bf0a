import { hostPrefix } from '../system/ip-address.ts';
import { ipBatch } from '../advertise/ip-batch.ts';
import {
  deleteRouteLine,
  readOwnRoutes,
  ROUTE_PROTOCOL,
  type KernelRoute,
} from '../advertise/kernel-routes.ts';
import { deleteLeftover, leftoverRoutes } from '../advertise/leftover-routes.ts';
import { claimOwner, claimedByAnybody } from '../state/claims.ts';
import { acquireLock } from '../state/lock.ts';
import {
  endRouteLease,
  openRouteLeases,
  routeLeaseFolder,
  routeLeases,
  setRouteLease,
} from '../state/route-leases.ts';
import { checkFolder, instancePaths, prepareFolder } from '../state/state-folder.ts';
import type { Moment } from '../system/clock.ts';
import { BusyError, messageOf, ReportedError } from '../system/errors.ts';
import type { PassPorts } from './ports.ts';

type SweepPorts = Pick<PassPorts, 'clock' | 'log' | 'run' | 'ownUid'>;

/**
 * Removes the routes whose leases ran out, whichever instance they are of: the kernel has no
 * lifetime for IPv4 routes, so the next pass of any instance does what the kernel does for
 * addresses. Where nothing ran out this reads one folder, and starts no process.
 *
 * Nothing is thrown: what cannot be swept is said, and no fault of the pass that comes next.
 */
export async function sweepRoutes(stateDir: string, ports: SweepPorts): Promise<void> {
  try {
    if (!checkFolder(stateDir, ports.ownUid)) return;
    const over = overdue(stateDir, ports.clock.now());
    if (over.length === 0) return;
    const routes = await readOwnRoutes(ports.run);
    for (const address of over) {
      await underLockOfOwner(stateDir, address, ports, async () => {
        if (!overdue(stateDir, ports.clock.now()).includes(address)) return; // renewed since
        await sweepAddress(stateDir, address, routes.get(address) ?? [], ports);
      });
    }
  } catch (error) {
    if (!(error instanceof ReportedError)) throw error;
    ports.log.warning(`cannot remove routes whose leases ran out: ${messageOf(error)}`);
  }
}

/**
 * Gives a lease to every route of ours when the leases are lost, as when somebody emptied the
 * state folder: whoever still runs renews his own, and the others' go when it is over.
 */
export async function adoptRoutes(
  stateDir: string,
  leaseMs: number,
  ports: SweepPorts,
): Promise<void> {
  try {
    prepareFolder(stateDir, ports.ownUid);
    const folder = routeLeaseFolder(stateDir);
    if (!openRouteLeases(folder)) return;
    for (const address of (await readOwnRoutes(ports.run)).keys()) {
      setRouteLease(folder, address, leaseMs, ports.clock.now());
    }
  } catch (error) {
    if (!(error instanceof ReportedError)) throw error;
    ports.log.step(`cannot look for routes that were left behind: ${messageOf(error)}`);
  }
}

/** The addresses whose routes must not stay. */
function overdue(stateDir: string, now: Moment): readonly string[] {
  return routeLeases(routeLeaseFolder(stateDir), now)
    .filter(({ untilMs }) => untilMs === undefined || untilMs < now.bootMs)
    .map(({ address }) => address);
}

/** A pass of the owner that is under way decides for itself: then nothing is done. */
export async function underLockOfOwner(
  stateDir: string,
  address: string,
  { log, run }: Pick<SweepPorts, 'log' | 'run'>,
  action: () => Promise<void>,
): Promise<void> {
  const owner = claimOwner(instancePaths(stateDir, '').claims, address);
  if (owner === undefined) return action();
  let lock;
  try {
    const path = instancePaths(stateDir, owner).lock;
    lock = await acquireLock({ path, waitMs: 0, holdMs: HOLD_MS, log, run });
  } catch (error) {
    if (error instanceof BusyError) return undefined;
    throw error;
  }
  try {
    await action();
  } finally {
    lock.release();
  }
}

/** What deleting a route and reading it back may take. */
const HOLD_MS = 10_000;

async function sweepAddress(
  stateDir: string,
  address: string,
  routes: readonly KernelRoute[],
  { log, run }: SweepPorts,
): Promise<void> {
  if (routes.length > 0) {
    const results = await ipBatch(run, 0)(routes.map((route) => deleteRouteLine(address, route)));
    if ((await readOwnRoutes(run)).has(address)) {
      const reason = results.find((result) => result !== undefined) ?? 'it is still there';
      log.warning(`cannot remove the route to ${address}, whose lease ran out: ${reason}`);
      return;
    }
    const devices = routes.map(({ device }) => device ?? '?').join(', ');
    log.notice(
      `withdrew ${hostPrefix(address)} dev ${devices} (proto ${ROUTE_PROTOCOL}): its lease ran out`,
    );
  }
  endRouteLease(routeLeaseFolder(stateDir), address);
}

/**
 * Removes the routes that the kernel left behind of IPv6 addresses whose leases ran out, whichever
 * instance they are of. Where every claimed address is present, this looks at one folder.
 *
 * Nothing is thrown: the pass that comes next says what is wrong with disk or kernel.
 */
export async function sweepLeftovers(
  stateDir: string,
  ports: Pick<PassPorts, 'log' | 'run' | 'ownUid'>,
): Promise<void> {
  try {
    if (!checkFolder(stateDir, ports.ownUid)) return;
    for (const { address } of leftoversIn(stateDir)) {
      await underLockOfOwner(stateDir, address, ports, async () => {
        const left = leftoversIn(stateDir).filter((place) => place.address === address);
        await ipBatch(ports.run, 0)(left.map(deleteLeftover));
        ports.log.step(`removed the route that the kernel left behind of ${address}`);
      });
    }
  } catch (error) {
    if (!(error instanceof ReportedError)) throw error;
    ports.log.step(`cannot look for routes that were left behind: ${messageOf(error)}`);
  }
}

function leftoversIn(stateDir: string): ReturnType<typeof leftoverRoutes> {
  const { claims } = instancePaths(stateDir, '');
  return leftoverRoutes(claimedByAnybody(claims).filter((address) => address.includes(':')));
}

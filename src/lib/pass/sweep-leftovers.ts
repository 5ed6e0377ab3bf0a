import { deleteLeftover, leftoverRoutes } from '../advertise/leftover-routes.ts';
import { ipBatch } from '../advertise/ip-batch.ts';
import { claimedByAnybody } from '../state/claims.ts';
import { checkFolder, instancePaths } from '../state/state-folder.ts';
import { messageOf, ReportedError } from '../system/errors.ts';
import type { PassPorts } from './pass-ports.ts';
import { underLockOfOwner } from './sweep-routes.ts';

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

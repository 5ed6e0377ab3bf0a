import { addressAdvertiser } from '../advertise/address-advertiser.ts';
import { DRAIN_INTERFACE, drainInterfaces } from '../advertise/drain-interface.ts';
import { ipBatch } from '../advertise/ip-batch.ts';
import { interfaceLister } from '../advertise/kernel-addresses.ts';
import { routeReader } from '../advertise/kernel-routes.ts';
import { PLAIN_ROUTE, routeAdvertiser } from '../advertise/route-advertiser.ts';
import type { NodeContext } from '../node/node-context.ts';
import { routeLeasesIn } from '../state/route-leases.ts';
import { systemClock } from '../system/clock.ts';
import { runCommand } from '../system/command.ts';
import type { Log } from '../system/log.ts';
import type { generalOptions } from '../options/common-options.ts';
import type { Values } from '../options/option.ts';

/** Instances that are looked at together are read together: with one `ip` for all of them. */
const READ_WINDOW_MS = 1;

/** What the ha-* commands work with on this machine. */
export function nodeContext(
  values: Pick<Values<typeof generalOptions>, 'state-dir' | 'persist-dir' | 'lock-wait'>,
  log: Log,
): NodeContext {
  const batch = ipBatch(runCommand, 0);
  const drains = drainInterfaces(runCommand);
  const listInterfaces = interfaceLister();
  const readRoutes = routeReader(runCommand, READ_WINDOW_MS);
  return {
    stateDir: values['state-dir'],
    persistDir: values['persist-dir'],
    lockWaitMs: values['lock-wait'],
    clock: systemClock,
    log,
    run: runCommand,
    ownUid: process.geteuid?.() ?? 0,
    advertiserFor: (kind, drainInterface) =>
      kind === 'route'
        ? routeAdvertiser(PLAIN_ROUTE, {
            read: readRoutes,
            batch,
            leases: routeLeasesIn(values['state-dir'], systemClock),
          })
        : addressAdvertiser(
            runCommand,
            batch,
            listInterfaces,
            drainInterface === '' ? undefined : drains(drainInterface ?? DRAIN_INTERFACE),
          ),
  };
}

import type { OspfTimers } from '../advertise/ospf-timers.ts';
import { formatDuration } from '../system/duration.ts';

/** For all that is no waiting: to flood, to compute and to install. */
const MARGIN_MS = 1000;

/**
 * Whether a drain is likely too short for the network, if its routers have the timers of this node.
 * An external route takes one SPF delay, with routers that wait for it. An inter-area route takes
 * two runs, the node's own and the routers', of which the second may have to wait for the hold time.
 *
 * @param addresses that are drained
 * @param timers of the routing daemons that could be asked
 * @returns what to say; undefined when it is long enough, or when nothing is known
 */
export function drainAdvice(
  drainMs: number,
  addresses: readonly string[],
  timers: readonly OspfTimers[],
): string | undefined {
  const needsMs = timers.flatMap(({ family, delayMs, holdMs, interArea }) =>
    addresses
      .filter((address) => address.includes(':') === (family === 6))
      .map((address) => (interArea.has(address) ? 2 * Math.max(delayMs, holdMs) : delayMs)),
  );
  const wantedMs = Math.max(0, ...needsMs) + MARGIN_MS;
  if (needsMs.length === 0 || drainMs >= wantedMs) return undefined;
  return (
    `--drain ${formatDuration(drainMs)} is likely too short: take at least ` +
    `${Math.ceil(wantedMs / 1000)}s, if the routers have the SPF timers of this node`
  );
}

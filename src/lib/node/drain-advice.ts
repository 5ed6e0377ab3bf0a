import type { OspfTimers } from '../advertise/ospf-timers.ts';
import { LONGEST_DRAIN_MS } from '../options/value-parsers.ts';
import type { InstanceState } from '../state/instance-state.ts';
import { formatDuration } from '../system/duration.ts';

/** For all that is no waiting: to flood, to compute and to install. */
const MARGIN_MS = 1000;

/**
 * Whether a drain is likely too short for the network, if its routers have the timers of this node.
 * An external route takes one SPF delay, with routers that wait for it. An inter-area route takes
 * two runs, the node's own and the routers', of which the second may have to wait for the hold time.
 * What counts is the second half, if there are two: where the daemon announces the address from the
 * drain interface, the network hears of its end only then.
 *
 * @param drain as the state has it, with the time that was asked for
 * @param timers of the routing daemons that could be asked
 * @returns what to say; undefined when it is long enough, or when nothing is known
 */
export function drainAdvice(
  {
    drainMs,
    addresses,
    movedUntilMs,
  }: NonNullable<InstanceState['drain']> & { readonly drainMs: number },
  timers: readonly OspfTimers[],
): string | undefined {
  const needsMs = timers.flatMap(({ family, delayMs, holdMs, interArea }) =>
    addresses
      .filter((address) => address.includes(':') === (family === 6))
      .map((address) => (interArea.has(address) ? 2 * Math.max(delayMs, holdMs) : delayMs)),
  );
  const halves = movedUntilMs === null ? 1 : 2;
  const wantedMs = halves * (Math.max(0, ...needsMs) + MARGIN_MS);
  if (needsMs.length === 0 || drainMs >= wantedMs) return undefined;
  const enough =
    wantedMs <= LONGEST_DRAIN_MS
      ? `take at least ${Math.ceil(wantedMs / 1000)}s`
      : `shorten the SPF timers, for no drain is longer than ${formatDuration(LONGEST_DRAIN_MS)}`;
  return (
    `--drain ${formatDuration(drainMs)} is likely too short: ${enough}, ` +
    'if the routers have the SPF timers of this node'
  );
}

import { together } from './window.ts';
import { hostPrefix } from '../system/ip-address.ts';
import * as v from 'valibot';
import type { RunCommand } from '../system/command.ts';
import { KernelError } from '../system/errors.ts';
import { errorsByLine } from './ip-batch.ts';
import { parseJson } from './kernel-addresses.ts';

/**
 * Marks the routes of this package, as rtm_protocol (rtnetlink(7)). Any number that no routing
 * daemon has for its own will do: those announce it as a route of the kernel.
 */
export const ROUTE_PROTOCOL = 121;

/** The main table's number (RT_TABLE_MAIN of linux/rtnetlink.h). */
export const MAIN_TABLE = '254';

/** What is asked of the kernel about one host route. */
export interface RouteQuery {
  readonly address: string;
  readonly interface: string;
  /** The source address of the node's own packets that matter; undefined: the kernel's choice. */
  readonly source: string | undefined;
}

/** A host route, whoever made it. */
export interface KernelRoute {
  readonly protocol: number;
  /**
   * IPv6 routes that have gateways and one metric become next hops of one another, whoever made
   * them. Each has a protocol of its own, but `ip` shows the first one's only: this is another.
   */
  readonly isBehind: boolean;
  readonly table: string;
  readonly device: string | undefined;
  readonly gateway: string | undefined;
  /** 0 where none is shown. */
  readonly metric: number;
  readonly source: string | undefined;
}

export interface RouteFindings {
  /** All host routes to the address, in every table. */
  readonly routes: readonly KernelRoute[];
  /** `down`: not set up; without a carrier it is up. */
  readonly link: 'up' | 'down' | 'absent';
  /** The interface through which the node itself reaches the address now; undefined: through none. */
  readonly pathInterface: string | undefined;
}

/** Asks about host routes; the answers are in the order of the questions. Throws KernelError. */
export type RouteReader = (queries: readonly RouteQuery[]) => Promise<readonly RouteFindings[]>;

const TIMEOUT_MS = 5000;

/**
 * A way to ask with one process for all that is asked within a window, so that many instances in
 * one process share it.
 *
 * @param windowMs how long a question is held back for others; 0 asks at once
 */
export function routeReader(run: RunCommand, windowMs: number): RouteReader {
  return together((queries) => readRoutes(run, queries), windowMs);
}

/**
 * All routes of ours, by the addresses they lead to. One process.
 *
 * @throws KernelError
 */
export async function readOwnRoutes(
  run: RunCommand,
): Promise<ReadonlyMap<string, readonly KernelRoute[]>> {
  const args = ['-N', '-json', 'route', 'show', 'table', 'all', 'proto', String(ROUTE_PROTOCOL)];
  const result = await run('ip', args, { timeoutMs: TIMEOUT_MS });
  const problem = result.failure ?? (result.exitCode === 0 ? undefined : result.stderr.trim());
  if (problem !== undefined) throw new KernelError(`cannot read routes: ${problem}`);
  const routes = new Map<string, KernelRoute[]>();
  for (const route of parse(Routes, result.stdout)) {
    const own = kernelRoutes(route).filter(({ isBehind }) => !isBehind);
    routes.set(route.dst, [...(routes.get(route.dst) ?? []), ...own]);
  }
  return routes;
}

/**
 * The line for `ip -batch` that deletes one route of ours and no other. The gateway is named: without
 * it the kernel deletes the next hops of everybody with ours (ip6_route_del in net/ipv6/route.c).
 */
export function deleteRouteLine(address: string, route: KernelRoute): string {
  const gateway = route.gateway === undefined ? '' : ` via ${route.gateway}`;
  const device = route.device === undefined ? '' : ` dev ${route.device}`;
  return `route del ${hostPrefix(address)}${gateway}${device} table ${route.table} metric ${route.metric} proto ${ROUTE_PROTOCOL}`;
}

// What `ip -N -json` prints of a route and of a link (iproute2, ip/iproute.c, ip/ipaddress.c).
const NextHop = v.object({ dev: v.optional(v.string()), gateway: v.optional(v.string()) });
const Route = v.object({
  dst: v.string(),
  ...NextHop.entries,
  nexthops: v.optional(v.array(NextHop)),
  protocol: v.optional(v.string()),
  metric: v.optional(v.number()),
  table: v.optional(v.string()),
  prefsrc: v.optional(v.string()),
});
const Routes = v.array(Route);
const Links = v.array(v.object({ ifname: v.optional(v.string()), flags: v.array(v.string()) }));

/** RTPROT_BOOT, which `ip` does not print: that of routes made by hand. */
const BOOT_PROTOCOL = 3;

const LINES_PER_QUERY = 3;

async function readRoutes(
  run: RunCommand,
  queries: readonly RouteQuery[],
): Promise<readonly RouteFindings[]> {
  const lines = queries.flatMap(({ address, interface: device, source }) => [
    `route show table all exact ${hostPrefix(address)}`,
    `link show dev ${device}`,
    `route get ${address}${source === undefined ? '' : ` from ${source}`}`,
  ]);
  const result = await run('ip', ['-N', '-json', '-force', '-batch', '-'], {
    input: `${lines.join('\n')}\n`,
    timeoutMs: TIMEOUT_MS,
  });
  if (result.failure !== undefined) throw new KernelError(`cannot read routes: ${result.failure}`);
  const errors = errorsByLine(result.stderr);
  // A line that fails prints nothing; each of the others prints one line.
  const printed = result.stdout.split('\n').filter((text) => text !== '');
  if (printed.length + errors.size !== lines.length) {
    const reason = result.stderr.trim() || 'ip printed something else';
    throw new KernelError(`cannot read routes: ${reason}`);
  }
  const answers = lines.map((_, index) => (errors.has(index + 1) ? undefined : printed.shift()));
  return queries.map((query, index): RouteFindings => {
    const first = LINES_PER_QUERY * index;
    const [shown, link, path] = answers.slice(first, first + LINES_PER_QUERY);
    if (shown === undefined) {
      throw new KernelError(`cannot read routes: ${errors.get(first + 1) ?? 'no answer'}`);
    }
    return {
      routes: parse(Routes, shown).flatMap(kernelRoutes),
      link: linkOf(link, errors.get(first + 2), query),
      // An error is the answer that no route leads there.
      pathInterface: path === undefined ? undefined : parse(Routes, path)[0]?.dev,
    };
  });
}

function linkOf(
  printed: string | undefined,
  error: string | undefined,
  { interface: device }: RouteQuery,
): RouteFindings['link'] {
  if (printed !== undefined) {
    return parse(Links, printed)[0]?.flags.includes('UP') === true ? 'up' : 'down';
  }
  if (error?.includes('does not exist') === true) return 'absent';
  throw new KernelError(`cannot read ${device}: ${error ?? 'no answer'}`);
}

/** One for each next hop. */
function kernelRoutes(route: v.InferOutput<typeof Route>): readonly KernelRoute[] {
  return (route.nexthops ?? [route]).map((hop, index) => ({
    protocol: Number(route.protocol ?? BOOT_PROTOCOL),
    isBehind: index > 0 && route.dst.includes(':'),
    table: route.table ?? MAIN_TABLE,
    device: hop.dev,
    gateway: hop.gateway,
    metric: route.metric ?? 0,
    source: route.prefsrc,
  }));
}

function parse<Schema extends v.GenericSchema>(
  schema: Schema,
  text: string,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, parseJson(text));
  if (!result.success) throw new KernelError('cannot read routes: ip printed something else');
  return result.output;
}

import { askDns, labelOf, type DnsFinding } from './dns-ask.ts';
import type { DnsExpectation } from './dns-judge.ts';
import type { DnsQuery, QueryStyle } from './dns-query.ts';
import { up, type Probe, type ProbeContext, type Verdict } from './probe.ts';
import type { Peer } from './udp-exchange.ts';

export interface DnsOptions {
  readonly servers: readonly Peer[];
  readonly queries: readonly DnsQuery[];
  /** Whether all pairs of a server and a query have to be up, or any one. */
  readonly require: 'all' | 'any';
  /** With `both`, a pair is up when both transports are. */
  readonly transport: 'udp' | 'tcp' | 'both';
  readonly style: QueryStyle;
  readonly expected: DnsExpectation;
}

/** How many failures a detail tells. */
const SHOWN_FAILURES = 3;

/**
 * Asks every query of every server over every transport, all at once. The attempt ends when all
 * are settled, or when one pair is up and that is enough, or when the signal is aborted.
 */
export const probeDns: Probe<DnsOptions> = async (options, { signal, log }) => {
  const settled = new AbortController();
  const context = { signal: AbortSignal.any([signal, settled.signal]), log };
  const pairs = options.servers.flatMap((server) =>
    options.queries.map((query) => ({ server, query })),
  );
  try {
    const findings = await Promise.all(
      pairs.map(async ({ server, query }) => {
        const ofPair = await askPair(server, query, options, context);
        if (options.require === 'any' && ofPair.every(isUp)) settled.abort();
        return ofPair;
      }),
    );
    const enough =
      options.require === 'any' ? findings.find((pair) => pair.every(isUp)) : undefined;
    return summarise(enough ?? findings.flat());
  } finally {
    settled.abort(); // where a bug ends one question, the others must not go on
  }
};

function askPair(
  server: Peer,
  query: DnsQuery,
  { transport, style, expected }: DnsOptions,
  context: ProbeContext,
): Promise<DnsFinding[]> {
  const transports = transport === 'both' ? (['udp', 'tcp'] as const) : [transport];
  const asked = transports.map((each) => {
    const label = labelOf(server, query, transport === 'udp' ? undefined : each);
    return askDns({ server, query, transport: each, style, expected, label }, context);
  });
  return Promise.all(asked);
}

function isUp(finding: DnsFinding): boolean {
  return finding.verdict.status === 'up';
}

/** All have to be up. One that is down outweighs those of which nothing is known. */
function summarise(findings: readonly DnsFinding[]): Verdict {
  const failures = findings
    .map((finding) => finding.verdict)
    .filter((each) => each.status !== 'up');
  const decisive = failures.find((verdict) => verdict.status === 'down') ?? failures[0];
  const [first] = findings;
  if (first !== undefined && findings.length === 1) return first.verdict;
  if (decisive === undefined) {
    const slowestMs = Math.max(...findings.map((finding) => finding.tookMs ?? 0));
    return up(`${findings.length} questions right, the slowest in ${slowestMs} ms`);
  }
  const details = [decisive, ...failures.filter((each) => each !== decisive)]
    .slice(0, SHOWN_FAILURES)
    .map((verdict) => verdict.detail);
  const unshown = failures.length - details.length;
  if (unshown > 0) details.push(`and ${unshown} more`);
  const count = `${failures.length} of ${findings.length} questions failed`;
  return { ...decisive, detail: `${count}: ${details.join('; ')}` };
}

import { formatEndpoint } from '../../system/ip-address.ts';
import { askDns, type DnsFinding } from './dns-ask.ts';
import type { DnsQuestion } from './dns-fetch.ts';
import { expectationOf } from './dns-expectation.ts';
import type { DnsExpectation } from './dns-judge.ts';
import { formatQuery, type DnsQuery, type QueryStyle } from './dns-query.ts';
import { up, type Probe, type Verdict } from '../probe.ts';
import type { TlsTerms } from '../tls-connection.ts';
import type { Peer } from '../udp-exchange.ts';

export interface DnsServer extends Peer {
  /** What is asked of its certificate over TLS and HTTPS; undefined: it is asked in clear. */
  readonly tls: TlsTerms | undefined;
}

export interface DnsOptions {
  readonly servers: readonly DnsServer[];
  readonly queries: readonly DnsQuery[];
  /** Whether all pairs of a server and a query have to be up, or any one. */
  readonly require: 'all' | 'any';
  /** With `both`, a pair is up when both transports are. */
  readonly transport: DnsQuestion['transport'] | 'both';
  readonly style: Omit<QueryStyle, 'wantsAuthenticData'>;
  /** What the answers have to be where a query does not say otherwise. */
  readonly expected: DnsExpectation;
}

/** How many failures a detail tells. */
const SHOWN_FAILURES = 3;

/**
 * Asks every query of every server over every transport, all at once. The attempt ends when all
 * are settled, or when one pair is up and that is enough, or when the signal is aborted.
 */
export const probeDns: Probe<DnsOptions> = async (options, { signal, log }) => {
  const pairs = pairsOf(options).map((pair) =>
    // A signal for each question: Node warns on stderr of more than ten listeners to one.
    pair.map((question) => ({ question, stopper: new AbortController() })),
  );
  const stop = (): void => {
    for (const { stopper } of pairs.flat()) stopper.abort();
  };
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  try {
    const findings = await Promise.all(
      pairs.map(async (pair) => {
        const ofPair = await Promise.all(
          pair.map(({ question, stopper }) => askDns(question, { signal: stopper.signal, log })),
        );
        if (options.require === 'any' && ofPair.every(isUp)) stop();
        return ofPair;
      }),
    );
    const enough =
      options.require === 'any' ? findings.find((ofPair) => ofPair.every(isUp)) : undefined;
    return summarise(enough ?? findings.flat(), options.require);
  } catch (error) {
    stop(); // where a bug ends one question, the others must not go on
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
};

/** For each server and query the questions, one per transport. */
function pairsOf(options: DnsOptions): DnsQuestion[][] {
  const { servers, queries, transport } = options;
  const transports = transport === 'both' ? (['udp', 'tcp'] as const) : [transport];
  return servers.flatMap((server) =>
    queries.map((query) =>
      transports.map((each) => {
        const expected = expectationOf(query.expected, options.expected);
        const style = {
          ...options.style,
          wantsAuthenticData: expected.requiredFlags.includes('ad'),
        };
        const endpoint = formatEndpoint(server.address, server.port);
        const over = transport === 'udp' ? '' : `/${each}`;
        const label = `${endpoint}${over} ${formatQuery(query, style.class)}`;
        return { server, tls: server.tls, query, transport: each, style, expected, label };
      }),
    ),
  );
}

function isUp(finding: DnsFinding): boolean {
  return finding.verdict.status === 'up';
}

/**
 * Where all have to be up, one that is down outweighs those of which nothing is known. Where any is
 * enough it is the other way round: the unknown one could be up.
 */
function summarise(findings: readonly DnsFinding[], require: DnsOptions['require']): Verdict {
  const failures = findings
    .map((finding) => finding.verdict)
    .filter((each) => each.status !== 'up');
  const weightier = require === 'any' ? 'unknown' : 'down';
  const decisive = failures.find((verdict) => verdict.status === weightier) ?? failures[0];
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

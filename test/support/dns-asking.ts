import { expect } from 'vitest';
import type { DnsExpectation } from '../../src/lib/probe/dns/dns-judge.ts';
import { probeDns, type DnsOptions } from '../../src/lib/probe/dns/dns-probe.ts';
import { parseQuery, type QueryStyle } from '../../src/lib/probe/dns/dns-query.ts';
import type { DownReason, Verdict } from '../../src/lib/probe/probe.ts';
import type { Peer } from '../../src/lib/probe/udp-exchange.ts';
import type { Log } from '../../src/lib/system/log.ts';
import { FakeDnsServer, type FakeBehaviour } from './fake-dns-server.ts';

export const PLAIN_STYLE: QueryStyle = {
  class: 1,
  dnssec: false,
  wantsAuthenticData: false,
  checkingDisabled: false,
  ednsSizeBytes: 1232,
};

export const PLAIN_EXPECTATION: DnsExpectation = {
  rcodes: [0],
  minAnswers: undefined,
  answerPattern: undefined,
  requiredFlags: [],
  refuseStale: false,
  maxLatencyMs: undefined,
};

export interface Asking extends Partial<Omit<DnsOptions, 'queries' | 'style' | 'expected'>> {
  readonly queries?: readonly string[];
  readonly style?: Partial<QueryStyle>;
  readonly expected?: Partial<DnsExpectation>;
  /** Long where an answer is to come, short where none is. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface Asked {
  readonly verdict: Verdict;
  readonly steps: readonly string[];
}

/** Runs the probe with the defaults of the executable, but for what is given. */
export async function askServers(servers: readonly Peer[], asking: Asking = {}): Promise<Asked> {
  const { queries = ['. SOA'], style, expected, timeoutMs = 10_000, signal, ...rest } = asking;
  const steps: string[] = [];
  const verdict = await probeDns(
    {
      servers: servers.map((server) => ({ ...server, tls: undefined })),
      queries: queries.map(parseQuery),
      require: 'all',
      transport: 'udp',
      style: { ...PLAIN_STYLE, ...style },
      expected: { ...PLAIN_EXPECTATION, ...expected },
      ...rest,
    },
    { signal: signal ?? AbortSignal.timeout(timeoutMs), log: recordingLog(steps) },
  );
  return { verdict, steps };
}

/** Asks a fake server, and stops it afterwards. `PEER` in details stands for where it was. */
export async function askFake(behaviour: FakeBehaviour, asking: Asking = {}): Promise<Asked> {
  const server = await FakeDnsServer.start(behaviour);
  try {
    const { verdict, steps } = await askServers([server.peer], asking);
    const endpoint = `127.0.0.1:${server.peer.port}`;
    return { verdict: { ...verdict, detail: verdict.detail.replaceAll(endpoint, 'PEER') }, steps };
  } finally {
    await server.stop();
  }
}

function recordingLog(steps: string[]): Log {
  const record = (message: string): void => {
    steps.push(message);
  };
  return { step: record, notice: record, warning: record, error: record };
}

/** Matches a verdict that is down. */
export function isDown(reason: DownReason, detail: string | RegExp): object {
  return {
    status: 'down',
    reason,
    detail: typeof detail === 'string' ? detail : (expect.stringMatching(detail) as unknown),
  };
}

/** Matches the verdict on a fake server that answered `. SOA` rightly. */
export const IS_UP = {
  status: 'up',
  detail: expect.stringMatching(/^PEER \. SOA: NOERROR, 1 answer in (under 1|\d+) ms$/) as unknown,
};

/** How long is waited where nothing acceptable comes. */
export const SHORT = { timeoutMs: 250 } as const;

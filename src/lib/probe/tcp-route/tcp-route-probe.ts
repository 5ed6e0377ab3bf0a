import { connect } from 'node:net';
import { monotonicMs } from '../../system/clock.ts';
import { formatDuration } from '../../system/duration.ts';
import { errnoOf } from '../../system/errors.ts';
import { formatEndpoint, type IpAddress } from '../../system/ip-address.ts';
import { down, unknown, up, type Probe, type Verdict } from '../probe.ts';
import { verdictOfSocketError } from '../socket-fault.ts';

export interface TcpConnectOptions {
  readonly address: IpAddress;
  readonly ports: readonly number[];
  /** Whether every port has to be open, or one is enough. */
  readonly require: 'all' | 'any';
  /** The node's own address to ask from; undefined: the kernel's choice. */
  readonly source: IpAddress | undefined;
  /** How long the connections are kept open, to see whether they are reset; undefined: not at all. */
  readonly stayMs: number | undefined;
}

/** How long the other end may take to close its side, once ours is closed. */
const CLOSE_MS = 100;

/**
 * Completes a TCP handshake with each port, all at once, and closes the connections again in an
 * orderly way (FIN, not RST: RFC 9293 section 3.6). Nothing is sent. Where the connections are to
 * stay for a while, one that is reset in that time is no service: something accepts in its place.
 */
export const probeTcp: Probe<TcpConnectOptions> = async (options, { signal }) => {
  const { ports, require } = options;
  const startedAtMs = monotonicMs();
  const handshakes = ports.map((port) => startHandshake(options, port));
  const end = (): void => {
    for (const { abort } of handshakes) abort();
  };
  // One listener for all: Node takes more than ten for a leak, and warns.
  signal.addEventListener('abort', end);
  if (signal.aborted) end();
  try {
    const verdicts = await Promise.all(
      handshakes.map(async ({ settled }) => {
        const verdict = await settled;
        if (require === 'any' && verdict.status === 'up') end();
        return verdict;
      }),
    );
    return judge(verdicts, require, monotonicMs() - startedAtMs);
  } finally {
    signal.removeEventListener('abort', end);
  }
};

function judge(
  verdicts: readonly Verdict[],
  require: TcpConnectOptions['require'],
  tookMs: number,
): Verdict {
  const open = verdicts.filter(({ status }) => status === 'up');
  if (require === 'any' ? open.length > 0 : open.length === verdicts.length) {
    return up(`${details(open)} in ${tookMs} ms`);
  }
  const closed = verdicts.filter((verdict) => verdict.status === 'down');
  const unclear = verdicts.filter((verdict) => verdict.status === 'unknown');
  // One closed port decides against all; any of those that could not be tried could be the one.
  const [cause] = require === 'any' ? [...unclear, ...closed] : [...closed, ...unclear];
  return { ...(cause ?? unknown('overrun', '')), detail: details([...closed, ...unclear]) };
}

function details(verdicts: readonly Verdict[]): string {
  return verdicts.map(({ detail }) => detail).join('; ');
}

interface Handshake {
  readonly settled: Promise<Verdict>;
  /** Its time is over: it settles with what it knows. */
  readonly abort: () => void;
}

function startHandshake({ address, source, stayMs }: TcpConnectOptions, port: number): Handshake {
  const name = formatEndpoint(address, port);
  const stay = stayMs === undefined ? '' : formatDuration(stayMs);
  const open = up(stay === '' ? `${name} open` : `${name} open for ${stay}`);
  const localAddress = source === undefined ? {} : { localAddress: source.text };
  const socket = connect({ host: address.text, port, ...localAddress });
  let phase: 'connecting' | 'staying' | 'closing' = 'connecting';
  let abort = (): void => undefined;
  const settled = new Promise<Verdict>((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const settle = (verdict: Verdict): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(verdict);
    };
    const close = (): void => {
      phase = 'closing';
      socket.end();
      timer = setTimeout(abort, CLOSE_MS);
    };
    abort = () => {
      settle(phase === 'closing' ? open : down('timeout', `${name}: ${unfinished()}`));
    };
    const unfinished = (): string =>
      phase === 'connecting' ? 'no handshake in time' : `not open for ${stay} within --timeout`;
    socket.on('connect', () => {
      // Unread data would make an RST of our close: whatever the other end greets with is read.
      socket.resume();
      if (stayMs === undefined) {
        close();
        return;
      }
      phase = 'staying';
      timer = setTimeout(close, stayMs);
    });
    socket.on('close', () => {
      if (phase === 'closing') settle(open);
      if (phase === 'staying') settle(up(`${name} open, and closed in order by the other end`));
    });
    socket.on('error', (error) => {
      if (phase === 'closing') settle(open);
      else if (phase === 'staying' && errnoOf(error) === 'ECONNRESET')
        settle(down('reset', `${name}: reset within ${stay} of the handshake`));
      else settle(verdictOfRefusal(error, name, source));
    });
  });
  return { settled, abort };
}

/**
 * As for any socket, but the other end is not on this node: routers on the way, too, say that a
 * network is unreachable or that a filter forbids it (ICMPv6 code 1 becomes EACCES).
 */
function verdictOfRefusal(error: Error, name: string, source: IpAddress | undefined): Verdict {
  const code = errnoOf(error);
  if (code === 'ENETUNREACH') return down('unreachable', `${name}: network unreachable`);
  if (code === 'EACCES') return down('unreachable', `${name}: forbidden on the way`);
  if (code === 'EADDRNOTAVAIL' && source !== undefined) {
    return unknown('resources', `${name}: cannot ask from ${source.text} (${code})`);
  }
  return verdictOfSocketError(error, name);
}

import { monotonicMs } from '../../system/clock.ts';
import { formatEndpoint } from '../../system/ip-address.ts';
import { randomHex } from '../../system/random.ts';
import {
  bodyFault,
  HTTP_BOUNDS,
  isWithin,
  verdictWithoutAnswer,
  type StatusRange,
} from '../http-answer.ts';
import { exchangeHttp, type HttpRequest, type HttpResponse } from '../http-exchange.ts';
import { down, up, type Probe, type Verdict } from '../probe.ts';
import type { Peer } from '../udp-exchange.ts';

export interface SquidProbeOptions {
  readonly proxy: Peer;
  readonly question: SquidQuestion;
  /** Status codes that are right, both ends included. */
  readonly status: readonly StatusRange[];
  /** What a part of the body must match. */
  readonly body: RegExp | undefined;
  readonly credentials: { readonly user: string; readonly password: Buffer } | undefined;
}

export type SquidQuestion =
  /** `http://HOST/…`, or `/…` for what the proxy has itself; `{nonce}` is replaced. */
  | { readonly kind: 'url'; readonly method: string; readonly url: string }
  /** A tunnel to HOST:PORT. */
  | { readonly kind: 'connect'; readonly authority: string };

/**
 * Asks a web proxy for one page, or for a tunnel, over a new connection.
 *
 * `up` needs a response with an expected status, whole up to 1 MiB, whose body matches. Nothing
 * is sent through a tunnel. Redirects are answers, they are not followed.
 */
export const probeSquid: Probe<SquidProbeOptions> = async (options, { signal }) => {
  const { proxy, question } = options;
  const request = requestOf(options);
  const asked = question.kind === 'url' ? request.target : question.authority;
  const name = `${formatEndpoint(proxy.address, proxy.port)} ${request.method} ${asked}`;
  const startMs = monotonicMs();
  const outcome = await exchangeHttp(proxy, request, HTTP_BOUNDS, signal);
  return outcome.kind === 'complete'
    ? judge(options, outcome.response, name, monotonicMs() - startMs)
    : verdictWithoutAnswer(outcome, name);
};

/**
 * The target and the host of a request for a URL.
 *
 * @param url `http://HOST[:PORT][/PATH]`, or an absolute path
 * @param proxyHost what stands in `Host` for a path: the proxy itself is asked
 * @throws RangeError with a message that fits behind the name of a flag
 */
export function httpTargetOf(
  url: string,
  proxyHost: string,
): { readonly target: string; readonly host: string } {
  if (/^\/[\x21-\x7e]*$/.test(url)) return { target: url, host: proxyHost };
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== 'http:') {
    throw new RangeError(`'${url}' is neither http://… nor an absolute path`);
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw new RangeError(`'${url}' carries a user or a password`);
  }
  const { host, pathname, search } = parsed;
  return { target: `http://${host}${pathname}${search}`, host };
}

function requestOf({ proxy, question, credentials }: SquidProbeOptions): HttpRequest {
  const isTunnel = question.kind === 'connect';
  const { target, host } = isTunnel
    ? { target: question.authority, host: question.authority }
    : httpTargetOf(
        question.url.replaceAll('{nonce}', () => randomHex(8)),
        formatEndpoint(proxy.address, proxy.port),
      );
  const headers: (readonly [string, string])[] = [
    ['Host', host],
    ['User-Agent', 'anycast-ha'],
    ['Connection', 'close'],
  ];
  if (!isTunnel) headers.push(['Accept', '*/*']);
  if (credentials !== undefined) {
    // RFC 7617 section 2
    const pair = Buffer.concat([Buffer.from(`${credentials.user}:`), credentials.password]);
    headers.push(['Proxy-Authorization', `Basic ${pair.toString('base64')}`]);
  }
  return { method: isTunnel ? 'CONNECT' : question.method, target, headers };
}

function judge(
  { question, status, body }: SquidProbeOptions,
  response: HttpResponse,
  name: string,
  tookMs: number,
): Verdict {
  const code = response.statusCode;
  if (!isWithin(status, code)) {
    const error = printable(response.headers.get('x-squid-error') ?? '');
    const result = `${name}: status ${code}${error === '' ? '' : ` (${error})`}`;
    return question.kind === 'connect' || isMadeByProxy(response)
      ? down('proxy-error', `${result}, from the proxy`)
      : down('bad-status', `${result}, from the origin`);
  }
  const fault = bodyFault(body, response);
  if (fault !== undefined) return down('wrong-answer', `${name}: status ${code}, ${fault}`);
  return up(`${name}: status ${code} in ${tookMs} ms`);
}

/** What squid and tinyproxy call themselves in their own pages. */
const PROXY_SERVER = /^(?:squid|tinyproxy)(?:\/|$)/i;

/**
 * Whether the asked proxy made the response itself. A proxy adds itself to `Via` of all it
 * forwards (RFC 9110 section 7.6.3), squid also to its own pages, and X-Cache with `via off`.
 */
function isMadeByProxy({ statusCode, headers }: HttpResponse): boolean {
  if (statusCode === 407) return true; // RFC 9110 section 15.5.8
  const via = headers.get('via');
  if (via?.includes(',') === true) return false; // an error page of a proxy further on
  if (headers.has('x-squid-error')) return true;
  if (/;\s*error\s*=/i.test(headers.get('proxy-status') ?? '')) return true; // RFC 9209
  if (via !== undefined || headers.has('x-cache')) return false;
  if (PROXY_SERVER.test(headers.get('server') ?? '')) return true;
  return statusCode >= 502 && statusCode <= 504;
}

/** Text from the network, fit for a line of a log. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 80);
}

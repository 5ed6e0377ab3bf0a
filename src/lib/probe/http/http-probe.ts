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
import { printable } from '../printable.ts';
import { down, up, type Probe, type Verdict } from '../probe.ts';
import { openTls, type TlsTerms } from '../tls-connection.ts';
import type { Peer } from '../udp-exchange.ts';

export interface HttpProbeOptions {
  readonly server: Peer;
  /** `http://…` or `https://…`; `{nonce}` behind the host is replaced. */
  readonly url: string;
  /** `NAME[:PORT]`, for the field `Host`. */
  readonly host: string;
  readonly method: string;
  /** Sent in place of ours of the same name. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Status codes that are right. */
  readonly status: readonly StatusRange[];
  /** What a part of the body must match. */
  readonly body: RegExp | undefined;
  /** What is asked of the certificate; undefined: http. */
  readonly tls: TlsTerms | undefined;
}

const SHOWN_CHARACTERS = 120;

/**
 * Asks a web server for one page, over a new connection.
 *
 * `up` needs a response with an expected status, whole up to 1 MiB, whose body matches. Redirects
 * are answers, they are not followed. The body is taken as it comes: no coding is asked for.
 */
export const probeHttp: Probe<HttpProbeOptions> = async (options, { signal, log }) => {
  const { server, method, url, tls } = options;
  const name = `${formatEndpoint(server.address, server.port)} ${method} ${url}`;
  const request = requestOf(options);
  const startMs = monotonicMs();
  if (tls === undefined) {
    const outcome = await exchangeHttp(server, request, HTTP_BOUNDS, signal);
    return outcome.kind === 'complete'
      ? judge(options, outcome.response, name, `${monotonicMs() - startMs} ms`)
      : verdictWithoutAnswer(outcome, name);
  }
  const opened = await openTls(server, tls, ['http/1.1'], name, signal);
  if (opened.kind === 'failed') return opened.verdict;
  const { socket, certificate } = opened;
  log.step(
    `${name}: ${socket.getProtocol() ?? 'TLS'} in ${monotonicMs() - startMs} ms, ${certificate}`,
  );
  const outcome = await exchangeHttp({ socket }, request, HTTP_BOUNDS, signal);
  return outcome.kind === 'complete'
    ? judge(options, outcome.response, name, `${monotonicMs() - startMs} ms, ${certificate}`)
    : verdictWithoutAnswer(outcome, name);
};

function requestOf({ url, host, method, headers }: HttpProbeOptions): HttpRequest {
  const { pathname, search } = new URL(url.replaceAll('{nonce}', () => randomHex(8)));
  const given = new Set(headers.map(([name]) => name.toLowerCase()));
  const ours = [
    ['User-Agent', 'anycast-ha'],
    ['Accept', '*/*'],
    ['Accept-Encoding', 'identity'],
  ] as const;
  return {
    method,
    target: `${pathname}${search}`,
    headers: [
      ['Host', host],
      ['Connection', 'close'],
      ...ours.filter(([name]) => !given.has(name.toLowerCase())),
      ...headers,
    ],
  };
}

function judge(
  { status, body }: HttpProbeOptions,
  response: HttpResponse,
  name: string,
  circumstances: string,
): Verdict {
  const code = response.statusCode;
  if (!isWithin(status, code)) {
    const location = printable(response.headers.get('location') ?? '', SHOWN_CHARACTERS);
    const leads = location === '' ? '' : `, a redirect to ${location}, which is not followed`;
    return down('bad-status', `${name}: status ${code}${leads}`);
  }
  const fault = bodyFault(body, response);
  if (fault !== undefined) return down('wrong-answer', `${name}: status ${code}, ${fault}`);
  return up(`${name}: status ${code} in ${circumstances}`);
}

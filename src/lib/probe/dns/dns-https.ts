import { HTTP_BOUNDS, verdictWithoutAnswer } from '../http-answer.ts';
import { exchangeHttp, type HttpRequest } from '../http-exchange.ts';
import { printable } from '../printable.ts';
import { down, type Verdict } from '../probe.ts';
import type { OpenTls } from '../tls-connection.ts';

/** What may be spoken behind the handshake: what clients use comes first (RFC 8484 section 5.2). */
export const HTTPS_PROTOCOLS: readonly string[] = ['h2', 'http/1.1'];

/** The path that servers have by default; RFC 8484 leaves it to them. */
const PATH = '/dns-query';
const MESSAGE_TYPE = 'application/dns-message';
/** RFC 8484 section 6: a message as long as DNS can be. */
const BOUNDS = { ...HTTP_BOUNDS, maxBodyBytes: 65_535 };
const SHOWN_CHARACTERS = 60;

/**
 * DNS over HTTPS (RFC 8484): the query stands in the URL, the answer is the body.
 *
 * @param host for `Host` or `:authority`
 * @param label names the question, to begin a detail with
 * @returns the message that is the body, or the verdict where there is none
 */
export async function askOverHttps(
  { socket, protocol }: OpenTls,
  message: Buffer,
  host: string,
  label: string,
  signal: AbortSignal,
): Promise<Buffer | Verdict> {
  const request: HttpRequest = {
    method: 'GET',
    target: `${PATH}?dns=${message.toString('base64url')}`,
    headers: [
      ['Host', host.includes(':') ? `[${host}]` : host],
      ['Connection', 'close'],
      ['Accept', MESSAGE_TYPE],
      ['User-Agent', 'anycast-ha'],
    ],
  };
  const exchange =
    protocol === 'h2'
      ? (await import('../http2-exchange.ts')).exchangeHttp2(socket, request, BOUNDS, signal)
      : exchangeHttp({ socket }, request, BOUNDS, signal);
  const outcome = await exchange;
  if (outcome.kind !== 'complete') return verdictWithoutAnswer(outcome, label);

  const { statusCode, headers, body, isCut } = outcome.response;
  if (statusCode !== 200) return down('bad-status', `${label}: HTTP status ${statusCode}`);
  const type = headers.get('content-type') ?? '';
  if (type.split(';')[0]?.trim().toLowerCase() !== MESSAGE_TYPE) {
    const shown = type === '' ? 'no type' : `type ${printable(type, SHOWN_CHARACTERS)}`;
    return down('malformed', `${label}: an answer of ${shown}, expected ${MESSAGE_TYPE}`);
  }
  return isCut ? down('malformed', `${label}: an answer longer than DNS can be`) : body;
}

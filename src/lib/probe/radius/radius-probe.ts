import { formatEndpoint } from '../../system/ip-address.ts';
import { down, type Probe } from '../probe.ts';
import {
  authenticAnswer,
  expectedCodes,
  judgeAnswer,
  type Expectation,
  type Stranger,
} from './radius-answer.ts';
import type { GivenAttribute } from './radius-attribute.ts';
import { radiusRequest, type RadiusQuestion } from './radius-request.ts';
import { verdictOfSocketError } from '../socket-fault.ts';
import { askOverUdp, type Peer } from '../udp-exchange.ts';

export interface RadiusProbeOptions {
  readonly server: Peer;
  readonly question: RadiusQuestion;
  /** Shared with the server. */
  readonly secret: Buffer;
  /** The answer to `auth` that means up. */
  readonly expect: 'accept' | 'reject' | 'any';
  readonly requireMessageAuthenticator: boolean;
  /** What the server knows us as, 1 to 253 bytes. */
  readonly nasIdentifier: string;
  /** Sent along, in their order. */
  readonly attributes: readonly GivenAttribute[];
}

const QUESTION_NAMES = {
  status: 'Status-Server',
  auth: 'Access-Request',
  accounting: 'Accounting-Request',
} as const;

/**
 * Asks a RADIUS server once over UDP: for its status (RFC 5997), to log a user in (RFC 2865), or to account for a session (RFC 2866).
 *
 * A datagram that is not this server's answer to this request is ignored, whoever sent it. A
 * server drops what it cannot authenticate, so a wrong secret is silence as well: the detail says
 * so, and says what was ignored.
 */
export const probeRadius: Probe<RadiusProbeOptions> = async (options, { signal, log }) => {
  const { server, question, secret } = options;
  const name = QUESTION_NAMES[question.mode];
  const target = `${name} to ${formatEndpoint(server.address, server.port)}`;
  const expectation: Expectation = {
    codes: expectedCodes(question.mode, options.expect),
    messageAuthenticator: options.requireMessageAuthenticator,
  };
  const request = radiusRequest(question, secret, options.nasIdentifier, options.attributes);
  const strangers: Stranger[] = [];

  log.step(`${target}: identifier ${request.identifier}, ${request.packet.length} bytes`);
  const outcome = await askOverUdp({
    peer: server,
    payload: request.packet,
    signal,
    accept: (datagram) => {
      const answer = authenticAnswer(datagram, request, secret);
      if (Buffer.isBuffer(answer)) {
        return judgeAnswer(answer, request, secret, expectation, target);
      }
      if (strangers.length === 0) log.step(`${target}: ignored an answer with ${answer}`);
      strangers.push(answer);
      return undefined;
    },
  });

  switch (outcome.kind) {
    case 'answered':
      log.step(`${target}: answered in ${outcome.tookMs} ms`);
      return outcome.answer;
    case 'failed':
      return verdictOfSocketError(outcome.error, target);
    case 'aborted':
      return down('timeout', `${target}: no answer in time${silenceHint(strangers, options)}`);
  }
};

/** What else looks like a server that hangs. */
function silenceHint(
  strangers: readonly Stranger[],
  { question, secret }: Pick<RadiusProbeOptions, 'question' | 'secret'>,
): string {
  const [first] = strangers;
  if (endsWithCarriageReturn(secret)) {
    return ' (the secret ends with a carriage return: was its file written with CRLF?)';
  }
  if (first === undefined) {
    const delayed =
      question.mode === 'auth'
        ? ', and so does a reject that FreeRADIUS delays by its reject_delay, 1 s by default: see --timeout'
        : '';
    return ` (a wrong secret looks the same${delayed})`;
  }
  const count = strangers.length === 1 ? '1 datagram was' : `${strangers.length} datagrams were`;
  const why = first === 'a wrong authenticator' ? `${first}: is the secret right?` : first;
  return ` (${count} ignored, the first for ${why})`;
}

/** Of a file that ends with CRLF one newline is taken off: the other half of it is left. */
export function endsWithCarriageReturn(secret: Buffer): boolean {
  return secret.at(-1) === 0x0d;
}

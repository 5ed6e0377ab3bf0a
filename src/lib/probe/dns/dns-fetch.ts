import type { Socket } from 'node:net';
import { monotonicMs } from '../../system/clock.ts';
import { formatDuration } from '../../system/duration.ts';
import { isLostOnLoopback } from '../../system/loopback.ts';
import { DnsFrameReader } from './dns-frame-reader.ts';
import type { DnsExpectation } from './dns-judge.ts';
import type { DnsQuery, QueryStyle } from './dns-query.ts';
import { readReply, type DnsReply } from './dns-reply.ts';
import { down, unknown, type ProbeContext, type Verdict } from '../probe.ts';
import { verdictOfSocketError } from '../socket-fault.ts';
import { askOverTcp } from '../tcp-exchange.ts';
import type { TlsTerms } from '../tls-connection.ts';
import { askOverUdp, type Peer } from '../udp-exchange.ts';

/** One question to one server over one transport. */
export interface DnsQuestion {
  readonly server: Peer;
  readonly query: DnsQuery;
  readonly transport: 'udp' | 'tcp' | 'tls' | 'https';
  /** What is asked of the certificate; undefined where there is none. */
  readonly tls: TlsTerms | undefined;
  readonly style: QueryStyle;
  readonly expected: DnsExpectation;
  /** Names the question in messages: `127.0.0.1:53 . SOA`. */
  readonly label: string;
}

/** A question on its way. */
export interface Asked {
  readonly question: DnsQuestion;
  readonly context: ProbeContext;
  /** The query as it is sent. */
  readonly message: Buffer;
  readonly startedAtMs: number;
  readonly ignored: { count: number; lastFault: string; malformed: boolean };
}

export type Fetched =
  | { readonly reply: DnsReply; readonly tookMs: number; readonly remark: string }
  | { readonly reply: undefined; readonly verdict: Verdict };

/** Without EDNS a UDP answer has at most 512 bytes (RFC 1035 section 4.2.1). */
const PLAIN_UDP_BYTES = 512;
/** What the two bytes before a message over TCP can say (RFC 7766 section 8). */
const MAX_MESSAGE_BYTES = 65_535;
/** The answer may come behind another message, which is ignored, but not behind many. */
const MAX_TCP_BYTES = 2 * (2 + MAX_MESSAGE_BYTES);
/** A server that floods must not flood the log. */
const LOGGED_FAULTS = 3;

const AFTER_TRUNCATION = '(over TCP, since truncated over UDP)';

/**
 * Sends the question and waits for an answer to it. Messages that are no answer to the question are
 * ignored, and named when nothing better comes before the context's signal is aborted. An answer that
 * is truncated over UDP is asked for again over TCP.
 */
export function fetchReply(asked: Asked): Promise<Fetched> {
  const { transport, server, tls } = asked.question;
  if (tls !== undefined) return fetchOverTls(asked, tls);
  return transport === 'udp' ? fetchOverUdpFirst(asked) : fetchOverTcp(asked, server);
}

async function fetchOverUdpFirst(asked: Asked): Promise<Fetched> {
  const first = await fetchOverUdp(asked);
  if (first.reply === undefined) return first;
  if (!first.reply.truncated) return first;

  const { label, server } = asked.question;
  asked.context.log.step(`${label}: truncated over UDP, asking over TCP`);
  const second = await fetchOverTcp(asked, server);
  if (second.reply !== undefined) {
    return { ...second, tookMs: first.tookMs + second.tookMs, remark: ` ${AFTER_TRUNCATION}` };
  }
  const { verdict } = second;
  return verdict.status === 'down'
    ? without(down('truncated', `${verdict.detail} ${AFTER_TRUNCATION}`))
    : second;
}

async function fetchOverUdp(asked: Asked): Promise<Fetched> {
  const { server, style, label } = asked.question;
  const maxBytes = Math.max(PLAIN_UDP_BYTES, style.ednsSizeBytes);
  const outcome = await askOverUdp({
    peer: server,
    payload: asked.message,
    accept: (datagram) => acceptReply(asked, datagram, maxBytes),
    signal: asked.context.signal,
  });
  switch (outcome.kind) {
    case 'answered':
      return { reply: outcome.answer, tookMs: outcome.tookMs, remark: '' };
    case 'failed':
      return without(verdictOfSocketError(outcome.error, label));
    case 'aborted':
      return without(unanswered(asked, 'no answer'));
    default:
      return outcome satisfies never;
  }
}

/** Behind a handshake as over TCP (RFC 7858), or by HTTP (RFC 8484). */
async function fetchOverTls(asked: Asked, terms: TlsTerms): Promise<Fetched> {
  // Only here: a pass that asks in clear evaluates nothing of it.
  const [{ openTls }, { askOverHttps, HTTPS_PROTOCOLS }] = await Promise.all([
    import('../tls-connection.ts'),
    import('./dns-https.ts'),
  ]);
  const { server, label, transport } = asked.question;
  const { signal, log } = asked.context;
  const protocols = transport === 'https' ? HTTPS_PROTOCOLS : [];
  const opened = await openTls(server, terms, protocols, label, signal);
  if (opened.kind === 'failed') return without(opened.verdict);
  const { socket, certificate, protocol } = opened;
  const version = [socket.getProtocol() ?? 'TLS', ...(protocol === undefined ? [] : [protocol])];
  log.step(`${label}: ${version.join(', ')}, ${certificate}`);
  const told = { remark: `, ${certificate}` };
  if (transport === 'tls') {
    const fetched = await fetchOverTcp(asked, { socket });
    return fetched.reply === undefined
      ? fetched
      : { ...fetched, ...told, tookMs: monotonicMs() - asked.startedAtMs };
  }
  const body = await askOverHttps(opened, asked.message, terms.name, label, signal);
  if (!Buffer.isBuffer(body)) return without(body);
  const tookMs = monotonicMs() - asked.startedAtMs;
  const reply = acceptReply(asked, body, MAX_MESSAGE_BYTES);
  return reply === undefined
    ? without(down('malformed', `${label}: answered with ${asked.ignored.lastFault}`))
    : { reply, tookMs, ...told };
}

async function fetchOverTcp(
  asked: Asked,
  to: Peer | { readonly socket: Socket },
): Promise<Fetched> {
  const { label } = asked.question;
  const length = Buffer.alloc(2);
  length.writeUInt16BE(asked.message.length);
  const reader = new DnsFrameReader();
  const outcome = await askOverTcp({
    to,
    payload: Buffer.concat([length, asked.message]), // in one segment: RFC 7766 section 8
    receive: (chunk) => {
      for (const message of reader.push(chunk)) {
        const reply = acceptReply(asked, message, MAX_MESSAGE_BYTES);
        if (reply !== undefined) return reply;
      }
      return undefined;
    },
    maxBytes: MAX_TCP_BYTES,
    signal: asked.context.signal,
  });
  switch (outcome.kind) {
    case 'answered':
      return { reply: outcome.answer, tookMs: outcome.tookMs, remark: '' };
    case 'failed':
      return without(verdictOfSocketError(outcome.error, label));
    case 'closed':
      return without(
        down('reset', `${label}: connection closed after ${outcome.receivedBytes} bytes`),
      );
    case 'flooded':
      return without(
        down('malformed', `${label}: ${outcome.receivedBytes} bytes without an answer`),
      );
    case 'aborted':
      return without(unanswered(asked, outcome.connected ? 'no answer' : 'no connection'));
    default:
      return outcome satisfies never;
  }
}

function without(verdict: Verdict): Fetched {
  return { reply: undefined, verdict };
}

function acceptReply(asked: Asked, message: Buffer, maxBytes: number): DnsReply | undefined {
  const reading = readReply(message, asked.message, maxBytes);
  if (reading.kind === 'reply') return reading.reply;
  const { ignored, question, context } = asked;
  ignored.count += 1;
  ignored.lastFault = reading.fault;
  ignored.malformed ||= reading.malformed;
  if (ignored.count <= LOGGED_FAULTS) {
    context.log.step(`${question.label}: ignored ${reading.fault}`);
  }
  return undefined;
}

function unanswered({ question, startedAtMs, ignored }: Asked, what: string): Verdict {
  const waited = `${question.label}: ${what} within ${formatDuration(monotonicMs() - startedAtMs)}`;
  if (ignored.count === 0) {
    return isLostOnLoopback(question.server.address)
      ? unknown('no-interface', `${question.label}: the loopback interface is down`)
      : down('timeout', waited);
  }
  const detail = `${waited}, ignored ${ignored.lastFault}`;
  const others = ignored.count > 1 ? ` and ${ignored.count - 1} more` : '';
  return down(ignored.malformed ? 'malformed' : 'timeout', `${detail}${others}`);
}

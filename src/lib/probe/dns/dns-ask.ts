import { monotonicMs } from '../../system/clock.ts';
import { formatDuration } from '../../system/duration.ts';
import { isLostOnLoopback } from '../../system/loopback.ts';
import { randomBytes } from '../../system/random.ts';
import { DnsFrameReader } from './dns-frame-reader.ts';
import { judgeReply, type DnsExpectation } from './dns-judge.ts';
import { instantiateName } from './dns-name.ts';
import { encodeQuery, type DnsQuery, type QueryStyle } from './dns-query.ts';
import { readReply, type DnsReply } from './dns-reply.ts';
import { down, unknown, type ProbeContext, type Verdict } from '../probe.ts';
import { verdictOfSocketError } from '../socket-fault.ts';
import { askOverTcp } from '../tcp-exchange.ts';
import { askOverUdp, type Peer } from '../udp-exchange.ts';

/** One question to one server over one transport. */
export interface DnsQuestion {
  readonly server: Peer;
  readonly query: DnsQuery;
  readonly transport: 'udp' | 'tcp';
  readonly style: QueryStyle;
  readonly expected: DnsExpectation;
  /** Names the question in messages: `127.0.0.1:53 . SOA`. */
  readonly label: string;
}

export interface DnsFinding {
  readonly verdict: Verdict;
  /** How long the answer took; undefined when there was none. */
  readonly tookMs: number | undefined;
}

/** A question on its way. */
interface Asked {
  readonly question: DnsQuestion;
  readonly context: ProbeContext;
  /** The query as it is sent. */
  readonly message: Buffer;
  readonly startedAtMs: number;
  readonly ignored: { count: number; lastFault: string; malformed: boolean };
}

type Fetched =
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
 * Asks and judges the answer. Messages that are no answer to the question are ignored, and named
 * when nothing better comes before the context's signal is aborted. An answer that is truncated
 * over UDP is asked for again over TCP.
 */
export async function askDns(question: DnsQuestion, context: ProbeContext): Promise<DnsFinding> {
  const { label, query, transport, style, expected } = question;
  let asked: Asked;
  try {
    asked = prepare(question, context);
  } catch (error) {
    return { verdict: verdictOfSocketError(error, label), tookMs: undefined }; // no files left
  }
  const fetched = await (transport === 'udp' ? fetchReply(asked) : fetchOverTcp(asked));
  if (fetched.reply === undefined) return { verdict: fetched.verdict, tookMs: undefined };

  const { reply, tookMs, remark } = fetched;
  const verdict = reply.truncated
    ? down('truncated', `${label}: truncated, even over TCP`)
    : judgeReply(reply, expected, {
        label,
        askedType: query.type,
        askedClass: style.class,
        tookMs,
        remark,
      });
  return { verdict, tookMs };
}

function prepare(question: DnsQuestion, context: ProbeContext): Asked {
  const { label, query, style } = question;
  const name = instantiateName(query.name);
  if (name !== query.name) context.log.step(`${label}: asking for ${name}`);
  return {
    question,
    context,
    message: encodeQuery(randomId(), name, query.type, style),
    startedAtMs: monotonicMs(),
    ignored: { count: 0, lastFault: '', malformed: false },
  };
}

/** Over UDP first. */
async function fetchReply(asked: Asked): Promise<Fetched> {
  const first = await fetchOverUdp(asked);
  if (first.reply === undefined) return first;
  if (!first.reply.truncated) return first;

  const { label } = asked.question;
  asked.context.log.step(`${label}: truncated over UDP, asking over TCP`);
  const second = await fetchOverTcp(asked);
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

async function fetchOverTcp(asked: Asked): Promise<Fetched> {
  const { server, label } = asked.question;
  const length = Buffer.alloc(2);
  length.writeUInt16BE(asked.message.length);
  const reader = new DnsFrameReader();
  const outcome = await askOverTcp({
    peer: server,
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

/** Unpredictable, as is all that tells our answer from a forged one (RFC 5452 section 4.3). */
function randomId(): number {
  return Buffer.from(randomBytes(2)).readUInt16BE(0);
}

import { monotonicMs } from '../../system/clock.ts';
import { randomBytes } from '../../system/random.ts';
import { fetchReply, type Asked, type DnsQuestion } from './dns-fetch.ts';
import { judgeReply } from './dns-judge.ts';
import { instantiateName } from './dns-name.ts';
import { encodeQuery } from './dns-query.ts';
import type { DnsReply } from './dns-reply.ts';
import { down, type ProbeContext, type Verdict } from '../probe.ts';
import { verdictOfSocketError } from '../socket-fault.ts';

export interface DnsFinding {
  readonly verdict: Verdict;
  /** How long the answer took; undefined when there was none. */
  readonly tookMs: number | undefined;
}

/** Asks one question and judges the answer, or why there is none. */
export async function askDns(question: DnsQuestion, context: ProbeContext): Promise<DnsFinding> {
  const { label, query, style, expected } = question;
  let asked: Asked;
  try {
    asked = prepare(question, context);
  } catch (error) {
    return { verdict: verdictOfSocketError(error, label), tookMs: undefined }; // no files left
  }
  const fetched = await fetchReply(asked);
  if (fetched.reply === undefined) return { verdict: fetched.verdict, tookMs: undefined };

  const { reply, tookMs, remark } = fetched;
  const texts = expected.answerPattern === undefined ? [] : await textsOf(reply);
  const verdict = reply.truncated
    ? down('truncated', `${label}: truncated, even over TCP`)
    : judgeReply(reply, expected, {
        label,
        askedType: query.type,
        askedClass: style.class,
        tookMs,
        texts,
        remark,
      });
  return { verdict, tookMs };
}

/** What nobody asked to match is not decoded, and what decodes it is not even evaluated. */
async function textsOf({ answers }: DnsReply): Promise<readonly string[]> {
  const { formatRecords } = await import('./dns-record.ts');
  return formatRecords(answers);
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

/** Unpredictable, as is all that tells our answer from a forged one (RFC 5452 section 4.3). */
function randomId(): number {
  return Buffer.from(randomBytes(2)).readUInt16BE(0);
}

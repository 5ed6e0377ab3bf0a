import { extendedErrorName, RCODES, rcodeName, STALE_ERRORS, TYPE_ANY } from './dns-numbers.ts';
import type { DnsRecord } from './dns-record.ts';
import type { DnsReply, ExtendedError } from './dns-reply.ts';
import { printable } from '../printable.ts';
import { down, up, type Verdict } from '../probe.ts';

export type DnsFlag = keyof DnsReply['flags'];

/** What an answer has to be. */
export interface DnsExpectation {
  /** Response codes that are right, EDNS's upper bits included. */
  readonly rcodes: readonly number[];
  /** The fewest records of the asked type; undefined: 1 in a NOERROR answer, else 0. */
  readonly minAnswers: number | undefined;
  /** At least one record, as `NAME TYPE DATA`, has to match. */
  readonly answerPattern: RegExp | undefined;
  readonly requiredFlags: readonly DnsFlag[];
  /** Whether an answer that says it is stale is wrong (RFC 8767). */
  readonly refuseStale: boolean;
  readonly maxLatencyMs: number | undefined;
}

/** Where and how long an answer came from. */
export interface Circumstances {
  /** The question, to begin the detail with: `127.0.0.1:53 . SOA`. */
  readonly label: string;
  readonly askedType: number;
  readonly askedClass: number;
  readonly tookMs: number;
  /** The records of the answer as they are matched; needed only where a pattern is expected. */
  readonly texts: readonly string[];
  /** Put behind the time, such as ` over TCP`. */
  readonly remark: string;
}

/** How much of an unexpected record, or of a server's own words, a message shows. */
const SHOWN_CHARACTERS = 120;
/** How many extended errors a message shows; servers send one, forwarders may add theirs. */
const SHOWN_ERRORS = 3;

/**
 * Judges an answer that is complete. Of several faults, the first of: response code, staleness,
 * number of records, their content, flags, latency.
 */
export function judgeReply(
  reply: DnsReply,
  expected: DnsExpectation,
  { label, askedType, askedClass, tookMs, texts, remark }: Circumstances,
): Verdict {
  const time = `${tookMs === 0 ? 'under 1' : tookMs} ms${remark}${formatErrors(reply.extendedErrors)}`;
  const rcode = rcodeName(reply.rcode);
  if (!expected.rcodes.includes(reply.rcode)) {
    const wanted = expected.rcodes.map(rcodeName).join(' or ');
    return down('rcode', `${label}: ${rcode} in ${time}, expected ${wanted}`);
  }
  const count = reply.answers.filter((record) => isAsked(record, askedType, askedClass)).length;
  const seen = `${label}: ${rcode}, ${count} ${count === 1 ? 'answer' : 'answers'} in ${time}`;
  if (
    expected.refuseStale &&
    reply.extendedErrors.some(({ code }) => STALE_ERRORS.includes(code))
  ) {
    return down('stale', `${seen}, which is stale`);
  }
  const fewest = expected.minAnswers ?? (reply.rcode === RCODES.NOERROR ? 1 : 0);
  if (count < fewest) return down('no-answer', `${seen}, expected at least ${fewest}`);

  const { answerPattern } = expected;
  if (answerPattern !== undefined) {
    if (!texts.some((text) => answerPattern.test(text))) {
      return down('wrong-answer', `${seen}, none matches ${String(answerPattern)}${show(texts)}`);
    }
  }
  const missing = expected.requiredFlags.filter((flag) => !reply.flags[flag]);
  if (missing.length > 0) {
    const names = missing.map((flag) => flag.toUpperCase()).join(' and ');
    return down('missing-flag', `${seen}, without the flag ${names}`);
  }
  if (expected.maxLatencyMs !== undefined && tookMs > expected.maxLatencyMs) {
    return down('too-slow', `${seen}, allowed are ${expected.maxLatencyMs} ms`);
  }
  return up(seen);
}

function isAsked(record: DnsRecord, askedType: number, askedClass: number): boolean {
  return record.class === askedClass && (askedType === TYPE_ANY || record.type === askedType);
}

function show(texts: readonly string[]): string {
  const [first] = texts;
  if (first === undefined) return '';
  return `: ${printable(first, SHOWN_CHARACTERS)}${texts.length > 1 ? ` and ${texts.length - 1} more` : ''}`;
}

/** What the server says of its answer: ` (EDE 22 No Reachable Authority: "at delegation x.")`. */
function formatErrors(errors: readonly ExtendedError[]): string {
  const shown = errors.slice(0, SHOWN_ERRORS).map(({ code, text }) => {
    const words = printable(text, SHOWN_CHARACTERS);
    return `EDE ${extendedErrorName(code)}${words === '' ? '' : `: "${words}"`}`;
  });
  return shown.length === 0 ? '' : ` (${shown.join('; ')})`;
}

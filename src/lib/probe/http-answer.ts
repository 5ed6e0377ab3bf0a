import type { ValueParser } from '../options/option.ts';
import { wholeNumber } from '../options/value-parsers.ts';
import type { HttpBounds, HttpOutcome, HttpResponse } from './http-exchange.ts';
import { down, type Verdict } from './probe.ts';
import { verdictOfSocketError } from './socket-fault.ts';

/** What all probes that speak HTTP make of an answer. */

export interface StatusRange {
  readonly first: number;
  readonly last: number;
}

/** Squid's own limit for the header of a reply (reply_header_max_size), and a long page. */
export const HTTP_BOUNDS: HttpBounds = { maxHeadBytes: 65_536, maxBodyBytes: 1_048_576 };

const statusCode = wholeNumber(100, 599);

/** `200-299,304`: codes and ranges of codes. */
export const statusRanges: ValueParser<readonly StatusRange[]> = Object.assign(
  (given: string): readonly StatusRange[] =>
    given.split(',').map((part) => {
      const [, from = part, to = from] = /^\s*(\d+)\s*(?:-\s*(\d+)\s*)?$/.exec(part) ?? [];
      const range = { first: statusCode(from), last: statusCode(to) };
      if (range.first > range.last) throw new RangeError(`'${part}' ends before it begins`);
      return range;
    }),
  { metavar: 'N[-N],…' },
);

/** Whether a status code is one of those that are right, both ends of a range included. */
export function isWithin(ranges: readonly StatusRange[], code: number): boolean {
  return ranges.some(({ first, last }) => code >= first && code <= last);
}

/** The verdict on an exchange that did not come to a whole answer. */
export function verdictWithoutAnswer(
  outcome: Exclude<HttpOutcome, { kind: 'complete' }>,
  name: string,
): Verdict {
  switch (outcome.kind) {
    case 'malformed':
      return down('malformed', `${name}: ${outcome.fault}`);
    case 'closed':
      return down('reset', `${name}: closed after ${outcome.position}`);
    case 'aborted':
      return down('timeout', `${name}: no whole answer in time, got ${outcome.position}`);
    case 'failed':
      return verdictOfSocketError(outcome.error, name);
  }
}

/**
 * What is wrong with the body of an answer.
 *
 * @param pattern what a part of the body must match, taken as UTF-8; undefined: whatever it is
 */
export function bodyFault(pattern: RegExp | undefined, response: HttpResponse): string | undefined {
  if (pattern === undefined || pattern.test(response.body.toString('utf8'))) return undefined;
  const part = response.isCut ? `first ${response.body.length} bytes of the body` : 'body';
  const coding = response.headers.get('content-encoding')?.toLowerCase() ?? 'identity';
  const remark =
    /^[a-z-]{1,20}$/.test(coding) && coding !== 'identity' ? `, which is ${coding}` : '';
  return `no match in the ${part}${remark}`;
}

import { encode } from 'dns-packet';
import { expect, test } from 'vitest';
import { judgeReply, type DnsExpectation } from '../../../../src/lib/probe/dns/dns-judge.ts';
import { formatRecords, type DnsRecord } from '../../../../src/lib/probe/dns/dns-record.ts';
import type { DnsReply } from '../../../../src/lib/probe/dns/dns-reply.ts';
import { PLAIN_EXPECTATION } from '../../../support/dns-asking.ts';

const MESSAGE = encode({
  type: 'response',
  answers: [
    { name: 'x', type: 'A', data: '192.0.2.1' },
    { name: 'x', type: 'CNAME', data: 'y' },
    { name: 'x', type: 'A', class: 'CH', data: '192.0.2.1' },
  ],
});
// A header, and owners of three bytes, each with ten more bytes before its data.
const A: DnsRecord = recordAt(12, 1, 1, 4);
const CNAME: DnsRecord = recordAt(A.end, 5, 1, 3);
const CHAOS: DnsRecord = recordAt(CNAME.end, 1, 3, 4);

function recordAt(start: number, type: number, ofClass: number, bytes: number): DnsRecord {
  const dataStart = start + 3 + 10;
  return { message: MESSAGE, start, type, class: ofClass, dataStart, end: dataStart + bytes };
}

function judge(
  reply: Partial<DnsReply>,
  expected: Partial<DnsExpectation> = {},
  asked: { tookMs?: number; askedType?: number; askedClass?: number } = {},
): string {
  const texts = formatRecords(reply.answers ?? [A]);
  const verdict = judgeReply(
    {
      truncated: false,
      rcode: 0,
      flags: { aa: false, ra: true, ad: false },
      answers: [A],
      extendedErrors: [],
      ...reply,
    },
    { ...PLAIN_EXPECTATION, ...expected },
    { label: 'S x. A', askedType: 1, askedClass: 1, tookMs: 3, texts, remark: '', ...asked },
  );
  return verdict.status === 'up'
    ? `up: ${verdict.detail}`
    : `${verdict.status} (${verdict.reason}): ${verdict.detail}`;
}

const NXDOMAIN = { rcode: 3, answers: [] };

test.each([
  [judge({}), 'up: S x. A: NOERROR, 1 answer in 3 ms'],
  [judge({}, {}, { tookMs: 0 }), 'up: S x. A: NOERROR, 1 answer in under 1 ms'],
  [judge({ answers: [A, A] }), 'up: S x. A: NOERROR, 2 answers in 3 ms'],
  [judge(NXDOMAIN), 'down (rcode): S x. A: NXDOMAIN in 3 ms, expected NOERROR'],
  [judge({ rcode: 2 }), 'down (rcode): S x. A: SERVFAIL in 3 ms, expected NOERROR'],
  [judge({ rcode: 4000 }), 'down (rcode): S x. A: RCODE4000 in 3 ms, expected NOERROR'],
  [
    judge({}, { rcodes: [3, 5] }),
    'down (rcode): S x. A: NOERROR in 3 ms, expected NXDOMAIN or REFUSED',
  ],
  [judge(NXDOMAIN, { rcodes: [3] }), 'up: S x. A: NXDOMAIN, 0 answers in 3 ms'],
  [judge(NXDOMAIN, { rcodes: [0, 3] }), 'up: S x. A: NXDOMAIN, 0 answers in 3 ms'],
  [
    judge(NXDOMAIN, { rcodes: [3], minAnswers: 1 }),
    'down (no-answer): S x. A: NXDOMAIN, 0 answers in 3 ms, expected at least 1',
  ],
  [
    judge({ answers: [] }, { rcodes: [0, 3] }),
    'down (no-answer): S x. A: NOERROR, 0 answers in 3 ms, expected at least 1',
  ],
  [judge({ answers: [] }, { minAnswers: 0 }), 'up: S x. A: NOERROR, 0 answers in 3 ms'],
  [
    judge({ answers: [CNAME] }),
    'down (no-answer): S x. A: NOERROR, 0 answers in 3 ms, expected at least 1',
  ],
  [
    judge({ answers: [CHAOS] }),
    'down (no-answer): S x. A: NOERROR, 0 answers in 3 ms, expected at least 1',
  ],
  [judge({ answers: [CNAME, A] }), 'up: S x. A: NOERROR, 1 answer in 3 ms'],
  [
    judge({ answers: [CNAME, A] }, {}, { askedType: 255 }),
    'up: S x. A: NOERROR, 2 answers in 3 ms',
  ],
  [
    judge({ answers: [A] }, { minAnswers: 2 }),
    'down (no-answer): S x. A: NOERROR, 1 answer in 3 ms, expected at least 2',
  ],
  [judge({}, { answerPattern: /^x\. A 192\.0\.2\./u }), 'up: S x. A: NOERROR, 1 answer in 3 ms'],
  [
    judge({ answers: [CNAME, A] }, { answerPattern: /CNAME y\.$/u }),
    'up: S x. A: NOERROR, 1 answer in 3 ms',
  ],
  [
    judge({}, { answerPattern: /198/u }),
    'down (wrong-answer): S x. A: NOERROR, 1 answer in 3 ms, none matches /198/u: x. A 192.0.2.1',
  ],
  [
    judge({ answers: [A, A, CNAME] }, { answerPattern: /198/u }),
    'down (wrong-answer): S x. A: NOERROR, 2 answers in 3 ms, none matches /198/u: x. A 192.0.2.1 and 2 more',
  ],
  [
    judge({ answers: [] }, { answerPattern: /198/u, minAnswers: 0 }),
    'down (wrong-answer): S x. A: NOERROR, 0 answers in 3 ms, none matches /198/u',
  ],
  [
    judge({}, { requiredFlags: ['ra', 'ad', 'aa'] }),
    'down (missing-flag): S x. A: NOERROR, 1 answer in 3 ms, without the flag AD and AA',
  ],
  [
    judge({ flags: { aa: true, ra: true, ad: true } }, { requiredFlags: ['ra', 'ad', 'aa'] }),
    'up: S x. A: NOERROR, 1 answer in 3 ms',
  ],
  [judge({}, { maxLatencyMs: 3 }), 'up: S x. A: NOERROR, 1 answer in 3 ms'],
  [
    judge({}, { maxLatencyMs: 2 }),
    'down (too-slow): S x. A: NOERROR, 1 answer in 3 ms, allowed are 2 ms',
  ],
  [judge({ answers: [A, CHAOS] }, {}, { askedClass: 3 }), 'up: S x. A: NOERROR, 1 answer in 3 ms'],
  // What the server itself says of its answer.
  [
    judge({ extendedErrors: [{ code: 3, text: '' }] }),
    'up: S x. A: NOERROR, 1 answer in 3 ms (EDE 3 Stale Answer)',
  ],
  [
    judge({
      rcode: 2,
      extendedErrors: [
        { code: 22, text: 'at delegation\nx.' },
        { code: 999, text: '' },
      ],
    }),
    'down (rcode): S x. A: SERVFAIL in 3 ms (EDE 22 No Reachable Authority: "at delegation x."; EDE 999), expected NOERROR',
  ],
  [
    judge({ extendedErrors: [{ code: 3, text: 'since noon' }] }, { refuseStale: true }),
    'down (stale): S x. A: NOERROR, 1 answer in 3 ms (EDE 3 Stale Answer: "since noon"), which is stale',
  ],
  [
    judge(
      { ...NXDOMAIN, extendedErrors: [{ code: 19, text: '' }] },
      { rcodes: [3], refuseStale: true },
    ),
    'down (stale): S x. A: NXDOMAIN, 0 answers in 3 ms (EDE 19 Stale NXDOMAIN Answer), which is stale',
  ],
  [
    judge({ extendedErrors: [{ code: 4, text: '' }] }, { refuseStale: true }),
    'up: S x. A: NOERROR, 1 answer in 3 ms (EDE 4 Forged Answer)',
  ],
  // Of several faults, the one that says most.
  [
    judge({ rcode: 2, answers: [] }, { maxLatencyMs: 1, requiredFlags: ['ad'] }),
    'down (rcode): S x. A: SERVFAIL in 3 ms, expected NOERROR',
  ],
])('%#: %s', (verdict, expected) => {
  expect(verdict).toBe(expected);
});

test('a long record is cut in the detail', () => {
  const message = encode({
    type: 'response',
    answers: [{ name: 'x', type: 'TXT', data: Array<string>(20).fill('x'.repeat(250)) }],
  });
  const long = { ...A, message, type: 16, end: message.length };
  const verdict = judge({ answers: [long] }, { answerPattern: /z/u }, { askedType: 16 });
  expect(verdict.length).toBeLessThan(250);
  expect(verdict).toContain('xxx…');
});

import type { PassReport } from '../../src/lib/pass/report.ts';

/** What a pass reports that has just advertised one address. */
export function exampleReport(changes: Partial<PassReport> = {}): PassReport {
  return {
    instance: 'sample',
    exitStatus: 0,
    verdict: { status: 'up', detail: 'answered' },
    decision: {
      health: 'up',
      successes: 2,
      failures: 0,
      advertising: true,
      transition: { to: 'up', reason: 'service up', message: 'up: advertising' },
      transitions: 1,
      suspensions: [],
      places: [{ address: '198.51.100.1', interface: 'lo', present: true }],
      leaseLeftMs: 299_500,
      changes: ['add 198.51.100.1/32 dev lo'],
    },
    problems: [],
    ...changes,
  };
}

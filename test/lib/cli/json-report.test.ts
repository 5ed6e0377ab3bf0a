import { expect, test } from 'vitest';
import { jsonReport } from '../../../src/lib/cli/json-report.ts';
import { down } from '../../../src/lib/probe/probe.ts';
import { exampleReport } from '../../support/example-report.ts';

test('a pass is one line with all that is known of it', () => {
  const line = jsonReport(exampleReport({ problems: ['first\nsecond'] }));
  expect(line).not.toContain('\n');
  expect(JSON.parse(line)).toEqual({
    instance: 'sample',
    exit_status: 0,
    verdict: 'up',
    reason: null,
    detail: 'answered',
    health: 'up',
    successes: 2,
    failures: 0,
    advertising: true,
    transition: 'up',
    transitions: 1,
    suspended_by: [],
    addresses: [{ address: '198.51.100.1', interface: 'lo', present: true }],
    lease_left_seconds: 299.5,
    changes: ['add 198.51.100.1/32 dev lo'],
    problems: ['first\nsecond'],
  });
});

test('a pass that ended early has the same keys', () => {
  const early = exampleReport({ verdict: undefined, decision: undefined, exitStatus: 75 });
  const keys = (line: string): readonly string[] => Object.keys(JSON.parse(line) as object);
  expect(keys(jsonReport(early))).toEqual(keys(jsonReport(exampleReport())));
  expect(JSON.parse(jsonReport(early))).toMatchObject({ verdict: null, health: null });
});

test('a verdict other than up has its reason', () => {
  const report = exampleReport({ verdict: down('timeout', 'no answer') });
  expect(JSON.parse(jsonReport(report))).toMatchObject({ verdict: 'down', reason: 'timeout' });
});

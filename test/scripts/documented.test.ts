import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { renderChart } from '../../scripts/bench.d/failover-chart.mjs';
import type { Figures } from '../../scripts/bench.d/failover-table.mjs';
import { jsonReport } from '../../src/lib/cli/json-report.ts';
import { renderMetrics } from '../../src/lib/cli/metrics.ts';
import { jsonStatus } from '../../src/lib/cli/status-text.ts';
import { ExitStatus } from '../../src/lib/system/exit-status.ts';
import { exampleReport } from '../support/example-report.ts';
import { exampleState, moment } from '../support/example-state.ts';
import { ROOT } from '../support/executable.ts';

const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');

/** What stands in code marks within a section of anycast-ha(7). */
const section = read('man/anycast-ha.7.md').split('## MACHINE-READABLE OUTPUT')[1] ?? '';
const output = section.split('\n## ')[0] ?? '';
const words = new Set([...output.matchAll(/`([a-z_]+)`/g)].map(([, word = '']) => word));

/** All keys of an object, and of the objects within. */
function keysOf(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.flatMap(keysOf);
  return Object.entries(value).flatMap(([key, inner]) => [key, ...keysOf(inner)]);
}

describe('anycast-ha(7) names', () => {
  test('every key of the JSON of a pass', () => {
    expect([...words]).toEqual(
      expect.arrayContaining(keysOf(JSON.parse(jsonReport(exampleReport()))) as string[]),
    );
  });

  test("every key of ha-status's JSON", () => {
    const suspension = {
      ...{ holder: 'manual', id: '0', reason: 'x', login: 'root', sinceWallMs: 0, leftMs: 1 },
      ...{ acrossReboot: false, unreadable: false, boundToProcess: false },
    };
    const status = jsonStatus({
      instance: 'dns',
      now: moment(),
      state: exampleState(),
      gap: undefined,
      places: [{ address: '192.0.2.1', interface: 'lo', present: true }],
      moved: [{ address: '192.0.2.1', interface: 'ha-drain' }],
      drainLeftMs: 1,
      suspensions: [suspension],
      passUnderWay: undefined,
      leaseLeftMs: 1,
      serviceEnd: undefined,
      neverRan: false,
      inconsistent: [],
    });
    expect([...words]).toEqual(expect.arrayContaining(keysOf(JSON.parse(status)) as string[]));
  });

  test('every metric', () => {
    const names = [...renderMetrics(exampleReport(), 1, 1).matchAll(/^# TYPE (\S+)/gm)];
    expect(names.length).toBeGreaterThan(5);
    for (const [, name = ''] of names) expect([...words]).toContain(name);
    expect([...words]).toContain('instance_name');
  });
});

test('the pages list every exit status', () => {
  const listed = [...read('man/_exit-status.md').matchAll(/`(\d+)`/g)].map(([, it]) => Number(it));
  const known = Object.values(ExitStatus).filter((status) => status !== ExitStatus.noSuchInstance);
  expect(listed).toEqual(expect.arrayContaining(known));
  expect(read('man/anycast-ha.7.md')).toContain(`\`${ExitStatus.noSuchInstance}\` is an instance`);
});

test('the chart of lost queries is drawn from the figures beside it', () => {
  const figures = JSON.parse(read('man/failover.json')) as Figures[];
  expect(read('man/failover.svg')).toBe(renderChart(figures));
});

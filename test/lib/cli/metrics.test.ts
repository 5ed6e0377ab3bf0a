import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { renderMetrics, writeMetrics } from '../../../src/lib/cli/metrics.ts';
import { exampleReport } from '../../support/example-report.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../support/temporary-folder.ts';

const folder = createTemporaryFolder();

afterAll(() => {
  removeTemporaryFolder(folder);
});

/** The samples of a text, without the name's common beginning. */
function samples(text: string): Readonly<Record<string, string>> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => {
      const [, name = '', value = ''] =
        /^anycast_ha_(\w+)\{instance_name="sample"\} (\S+)$/.exec(line) ?? [];
      return [name, value];
    }),
  );
}

test('a pass has its figures', () => {
  expect(samples(renderMetrics(exampleReport(), 12, 1_800_000_000_500))).toEqual({
    up: '1',
    health_up: '1',
    advertising: '1',
    suspended: '0',
    transitions_total: '1',
    lease_left_seconds: '299.5',
    last_pass_timestamp_seconds: '1800000000.5',
    last_pass_duration_seconds: '0.012',
    last_pass_exit_status: '0',
  });
});

test('what does not apply is left out', () => {
  const early = exampleReport({ verdict: undefined, decision: undefined, exitStatus: 75 });
  expect(Object.keys(samples(renderMetrics(early, 12, 0)))).toEqual([
    'last_pass_timestamp_seconds',
    'last_pass_duration_seconds',
    'last_pass_exit_status',
  ]);
});

test('every sample has help and type just before it, and the text ends with a line break', () => {
  const lines = renderMetrics(exampleReport(), 12, 0).split('\n');
  expect(lines.pop()).toBe('');
  for (let index = 0; index < lines.length; index += 3) {
    const name = /^# HELP (\w+) ./.exec(lines[index] ?? '')?.[1] ?? 'none';
    expect(lines[index + 1]).toMatch(new RegExp(`^# TYPE ${name} (gauge|counter)$`));
    expect(lines[index + 2]).toMatch(new RegExp(`^${name}\\{`));
  }
});

test('each instance has a file that the collector may read', () => {
  writeMetrics(folder, exampleReport(), 12, 0);
  writeMetrics(folder, exampleReport(), 13, 0);
  expect(readdirSync(folder)).toEqual(['anycast_ha_sample.prom']);
  const file = path.join(folder, 'anycast_ha_sample.prom');
  expect(statSync(file).mode & 0o777).toBe(0o644);
  expect(readFileSync(file, 'utf8')).toBe(renderMetrics(exampleReport(), 13, 0));
  expect(() => {
    writeMetrics('/nonexistent', exampleReport(), 12, 0);
  }).toThrow('ENOENT');
});

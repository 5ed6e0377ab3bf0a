import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT } from '../support/executable.ts';

const SCRIPT = path.join(ROOT, 'scripts/count-tests.mjs');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'count-tests-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A report as vitest writes one: each file with the states of its tests. */
function report(name: string, files: Readonly<Record<string, readonly string[]>>): string {
  const file = path.join(folder, name);
  const testResults = Object.entries(files).map(([test, states]) => ({
    name: path.join(ROOT, test),
    status: states.length === 0 || states.includes('failed') ? 'failed' : 'passed',
    assertionResults: states.map((status, index) => ({ status, fullName: `sentence ${index}` })),
  }));
  writeFileSync(file, JSON.stringify({ testResults }));
  return file;
}

function count(...args: readonly string[]): string {
  return execFileSync(process.execPath, [SCRIPT, ...args], { cwd: ROOT, encoding: 'utf8' }).trim();
}

test('what was skipped, and a file that does not load, count as failed', () => {
  const first = report('first', {
    'test/a.ts': ['passed', 'failed', 'skipped', 'pending'],
    'test/b.ts': [],
    'test/c.ts': ['passed'],
  });
  expect(count(first)).toBe('2 4');
  expect(count('--failed', first)).toBe('test/a.ts\ntest/b.ts');
});

test('a file that ran again counts as it went then, and what it had failed is named', () => {
  const first = report('before', { 'test/a.ts': ['passed', 'failed'], 'test/b.ts': ['failed'] });
  const again = report('again', { 'test/a.ts': ['passed', 'passed'], 'test/b.ts': ['failed'] });
  const { stdout, stderr } = spawnSync(process.execPath, [SCRIPT, first, again], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  expect(stdout).toBe('2 1\n');
  expect(stderr).toBe(
    'failed beside others: test/a.ts: sentence 1\nfailed beside others: test/b.ts: sentence 0\n',
  );
  expect(count(first, path.join(folder, 'none'))).toBe('1 2');
});

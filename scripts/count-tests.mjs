import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';

/**
 * Reads what vitest reports as JSON.
 *
 *   count-tests.mjs REPORT [AGAIN]   prints how many tests passed and how many did not; where AGAIN
 *                                    exists, its files are counted as they went there
 *   count-tests.mjs --failed REPORT  prints the files in which something failed
 *
 * A test that was skipped counts as failed: a skipped test is not a passed one. A file that does
 * not load has no tests, and counts as one that failed.
 */

/**
 * @typedef {{ status: string, assertionResults: { status: string, fullName: string }[], name: string }} File
 */

/**
 * @param {string} path
 * @returns {Map<string, File>} each file by its name
 */
function read(path) {
  /** @type {{ testResults: File[] }} */
  const report = JSON.parse(readFileSync(path, 'utf8'));
  return new Map(report.testResults.map((file) => [file.name, file]));
}

/** @param {File} file */
function count(file) {
  const passed = file.assertionResults.filter(({ status }) => status === 'passed').length;
  const others = file.assertionResults.length - passed;
  return { passed, failed: file.status === 'failed' && others === 0 ? 1 : others };
}

const [first, second] = process.argv.slice(2);
if (first === '--failed' && second !== undefined) {
  for (const file of read(second).values()) {
    if (count(file).failed > 0) console.log(relative('.', file.name));
  }
} else if (first !== undefined) {
  const files = read(first);
  if (second !== undefined && existsSync(second)) {
    for (const [name, file] of read(second)) {
      const before = files.get(name);
      const disturbed = before?.assertionResults.filter(({ status }) => status === 'failed') ?? [];
      for (const { fullName } of disturbed) {
        console.error(`failed beside others: ${relative('.', name)}: ${fullName}`);
      }
      files.set(name, file);
    }
  }
  const counts = [...files.values()].map(count);
  const sum = (/** @type {'passed' | 'failed'} */ key) =>
    counts.reduce((total, each) => total + each[key], 0);
  console.log(sum('passed'), sum('failed'));
}

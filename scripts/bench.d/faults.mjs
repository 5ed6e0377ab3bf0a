import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/**
 * Runs the fault harness, test/fault, in its full form and prints its figures: how many faults were
 * put in, how they ended, and what must never be and was all the same.
 */

const ROOT = path.resolve(import.meta.dirname, '../..');
const USAGE = `usage: scripts/bench faults [--bounded] [PART...]

Puts faults into everything around the executables and prints what came of them: kills at every
system call, system calls that fail, damaged state, hostile answers and users, clocks that jump,
many passes at once. Needs root. PART is part of a file's name in test/fault, such as killed.
Takes an hour or more on two cores, and two where they have other work; --bounded, which
scripts/check runs too, a few minutes.
`;

/** @typedef {{ part: string, injected: number, outcomes: Record<string, number>, violations: string[] }} Figures */

const args = process.argv.slice(2);
if (args.some((arg) => arg.startsWith('-') && arg !== '--bounded')) {
  process.stdout.write(USAGE);
  process.exit(args.includes('--help') ? 0 : 64);
}
const parts = args.filter((arg) => arg !== '--bounded');
const wanted = parts.length === 0 ? ['test/fault'] : parts.map((part) => `test/fault/${part}`);
// Memory, where there is some: tens of thousands of passes would wait for a disk otherwise.
const place = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const folder = mkdtempSync(path.join(place, 'aha-faults-'));
const file = path.join(folder, 'figures');
const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', '--no-file-parallelism', ...wanted],
  {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      TMPDIR: place,
      FAULT_FIGURES: file,
      FAULTS: args.includes('--bounded') ? 'bounded' : 'full',
    },
  },
);
const figures = readFigures();
rmSync(folder, { recursive: true });

for (const { part, injected, outcomes, violations } of figures) {
  console.log(`${part}: ${injected} faults, ${violations.length} violations`);
  const common = Object.entries(outcomes).sort(([, one], [, other]) => other - one);
  for (const [outcome, count] of common.slice(0, 8))
    console.log(`${String(count).padStart(9)}  ${outcome}`);
  for (const violation of violations.slice(0, 5))
    console.log(`VIOLATION  ${violation.slice(0, 500)}`);
}
const injected = figures.reduce((sum, part) => sum + part.injected, 0);
const violations = figures.reduce((sum, part) => sum + part.violations.length, 0);
console.log(`in all: ${injected} faults, ${violations} violations`);
process.exitCode = status ?? 1;

/** @returns {Figures[]} */
function readFigures() {
  try {
    const lines = readFileSync(file, 'utf8').split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
  } catch {
    return []; // nothing came as far as that
  }
}

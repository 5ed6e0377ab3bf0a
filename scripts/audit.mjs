#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Asks the registry for advisories (npm audit) about the packages that are in the executables, as
 * dist/CONTENTS.txt names them. They are development dependencies to npm, so that
 * `npm audit --omit=dev` would look at nothing.
 *
 * Exit status: 0 none, 1 there are some, 69 the registry could not be asked or offers no audits.
 */

const ROOT = path.resolve(import.meta.dirname, '..');
const contents = readFileSync(path.join(ROOT, 'dist/CONTENTS.txt'), 'utf8');
const shipped = new Set(
  Array.from(contents.matchAll(/^ *\d+ (\S+) \S+$/gm), ([, name]) => name).filter(
    (name) => name !== 'anycast-ha',
  ),
);

const { stdout, error } = spawnSync('npm', ['audit', '--json'], {
  cwd: ROOT,
  encoding: 'utf8',
  timeout: 120_000,
});
const report = read(stdout);
if (report?.vulnerabilities === undefined) {
  const reason = /\b[45]\d\d [A-Z][a-z]+[A-Za-z ]*/.exec(report?.message ?? '')?.[0].trim();
  console.log(`not audited: ${reason ?? error?.message ?? 'npm did not report'}`);
  process.exitCode = 69;
} else {
  const found = Object.entries(report.vulnerabilities);
  const ours = found.filter(([name]) => shipped.has(name));
  for (const [name, { severity }] of ours) console.log(`${name}: ${severity}, and it is shipped`);
  console.log(
    `${shipped.size} packages in the executables: advisories for ${ours.length}; for ${found.length - ours.length} of the tools`,
  );
  process.exitCode = ours.length === 0 ? 0 : 1;
}

/**
 * @param {string | null} text
 * @returns {{ vulnerabilities?: Record<string, { severity?: string }>, message?: string } | undefined}
 */
function read(text) {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}

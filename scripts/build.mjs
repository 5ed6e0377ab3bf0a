#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { mkdir, utimes } from 'node:fs/promises';
import path from 'node:path';
import { bundle, replaceFile, ROOT } from './build/bundle.mjs';
import { contentsText } from './build/contents.mjs';
import { licenceTexts } from './build/licences.mjs';
import { buildManPages } from './build/man-pages.mjs';
import { buildUnits } from './build/units.mjs';

/**
 * Builds dist/: one executable per file in src/bin, their completions, the systemd
 * units and the man pages.
 * An executable that does not build is removed from dist/, the others are still built, and the
 * exit status is 1.
 */

const startedAt = new Date();
const dist = path.join(ROOT, 'dist');
const entries = path.join(ROOT, 'src/bin');
const names = readdirSync(entries)
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -'.ts'.length))
  .sort();

/** @type {string[]} */
const failures = [];

/**
 * @param {string} what
 * @param {() => Promise<void>} work
 */
async function attempt(what, work) {
  try {
    await work();
  } catch (error) {
    failures.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** @type {Map<string, Map<string, number>>} */
const contents = new Map();

/** @param {string} name */
async function buildExecutable(name) {
  const file = path.join(dist, name);
  await attempt(name, async () => {
    try {
      contents.set(name, await bundle(path.join(entries, `${name}.ts`), file));
    } catch (error) {
      rmSync(file, { force: true }); // an old one would pass for this one
      throw error;
    }
  });
}

/** @param {string} name */
async function buildCompletions(name) {
  for (const [shell, file] of [
    ['bash', name],
    ['zsh', `_${name}`],
  ]) {
    await attempt(`${name} --completion ${shell}`, async () => {
      const run = spawnSync(path.join(dist, name), ['--completion', String(shell)], {
        encoding: 'utf8',
        timeout: 10_000,
      });
      if (run.status !== 0) throw new Error(`exit ${run.status}: ${run.stderr}`);
      const folder = path.join(dist, 'completions', String(shell));
      await mkdir(folder, { recursive: true });
      await replaceFile(path.join(folder, String(file)), run.stdout, 0o644);
    });
  }
}

await mkdir(dist, { recursive: true });
await Promise.all(names.map(buildExecutable));
await attempt('licences', async () => {
  const inputs = new Set([...contents.values()].flatMap((sizes) => [...sizes.keys()]));
  await replaceFile(path.join(dist, 'LICENSES.txt'), await licenceTexts([...inputs]), 0o644);
});
await attempt('contents', async () => {
  await replaceFile(path.join(dist, 'CONTENTS.txt'), await contentsText(contents), 0o644);
});
const built = names.filter((name) => !failures.some((failure) => failure.startsWith(`${name}:`)));
for (const name of built) await buildCompletions(name);
await attempt('units', () =>
  buildUnits(
    names.filter((name) => name.endsWith('-probe')),
    path.join(dist, 'systemd'),
  ),
);
await attempt('man pages', () => buildManPages(path.join(ROOT, 'man'), path.join(dist, 'man')));

// Its time tells whether dist/ is older than a source: also one that changed during the build.
await replaceFile(path.join(dist, 'built'), '', 0o644);
await utimes(path.join(dist, 'built'), startedAt, startedAt);
for (const failure of failures) console.error(`build: ${failure}`);
process.exitCode = failures.length === 0 ? 0 : 1;

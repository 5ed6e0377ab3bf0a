import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './executable.ts';
import { Namespace } from './namespace.ts';

const SOURCES = [
  'src',
  'scripts/build',
  'scripts/build.mjs',
  'scripts/systemd',
  'man',
  'package.json',
  'node_modules/.package-lock.json',
];

/**
 * Builds dist/ when a source is newer than it, so that the tests of the executables test this
 * tree. What does not build is missing from dist/ then, and the tests that need it fail.
 */
export default async function setUp(): Promise<void> {
  if (isStale()) {
    spawnSync(process.execPath, [path.join(ROOT, 'scripts/build.mjs')], { stdio: 'inherit' });
  }
  await Namespace.sweep();
}

function isStale(): boolean {
  const built = modified('dist/built');
  return built === undefined || SOURCES.some((source) => newestWithin(source) > built);
}

/** When the newest file or folder under a path changed, in milliseconds since the epoch. */
function newestWithin(relative: string): number {
  const own = modified(relative) ?? 0;
  if (statSync(path.join(ROOT, relative), { throwIfNoEntry: false })?.isDirectory() !== true) {
    return own;
  }
  const entries = readdirSync(path.join(ROOT, relative));
  return Math.max(own, ...entries.map((entry) => newestWithin(path.join(relative, entry))));
}

function modified(relative: string): number | undefined {
  return statSync(path.join(ROOT, relative), { throwIfNoEntry: false })?.mtimeMs;
}

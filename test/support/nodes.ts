import { existsSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './executable.ts';

/** The Nodes beside our own that the executables are run with: scripts/check installs them. */
const VERSIONS = ['20.19.0', '22', '24', '26'] as const;

/** Paths of Node binaries: that of the tests, the oldest that is supported, and the newest of each line. */
export const NODES: readonly string[] = [
  process.execPath,
  ...VERSIONS.map((version) =>
    path.join(ROOT, 'node_modules/.cache/nodes', version, 'node_modules/node/bin/node'),
  ),
];

/** Throws Error where one of them is not there: a run with fewer must not look like one with all. */
export function requireNodes(): void {
  const missing = NODES.filter((node) => !existsSync(node));
  if (missing.length > 0) throw new Error(`missing, see scripts/check: ${missing.join(', ')}`);
}

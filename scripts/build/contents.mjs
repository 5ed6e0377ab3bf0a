import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { packageVersion, ROOT } from './bundle.mjs';
import { packageFolder } from './licences.mjs';

/**
 * What is in each executable: the packages, in which version and how much of them. For whoever
 * wants to know what runs as root; users do not need it.
 *
 * @param {ReadonlyMap<string, ReadonlyMap<string, number>>} executables by name: the bytes of each
 *   source file that went into it,
 * @returns {Promise<string>}
 */
export async function contentsText(executables) {
  const lines = ['What the executables contain: bytes, package, version.'];
  for (const [name, sizes] of [...executables].sort(([a], [b]) => (a < b ? -1 : 1))) {
    /** @type {Map<string, number>} */
    const packages = new Map();
    for (const [input, bytes] of sizes) {
      const folder = packageFolder(input) ?? '';
      packages.set(folder, (packages.get(folder) ?? 0) + bytes);
    }
    lines.push('', `== ${name}`);
    for (const [folder, bytes] of [...packages].sort(([a], [b]) => (a < b ? -1 : 1))) {
      lines.push(`${String(bytes).padStart(7)} ${await titleOf(folder)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** @param {string} folder of a package, '' for our own sources */
async function titleOf(folder) {
  if (folder === '') return `anycast-ha ${await packageVersion()}`;
  /** @type {{ name?: unknown, version?: unknown }} */
  const manifest = JSON.parse(await readFile(path.join(ROOT, folder, 'package.json'), 'utf8'));
  return `${String(manifest.name)} ${String(manifest.version)}`;
}

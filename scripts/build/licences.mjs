import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { ROOT } from './bundle.mjs';

/**
 * The licences of the packages whose code is in the executables, as most of them demand.
 *
 * @param {string[]} inputs source files, relative to the root
 * @returns {Promise<string>}
 * @throws when a package has no licence text
 */
export async function licenceTexts(inputs) {
  const folders = new Set(inputs.map(packageFolder).filter((folder) => folder !== undefined));
  const parts = ['The executables contain code of these packages, under these licences.\n'];
  for (const folder of [...folders].sort()) {
    const files = await readdir(path.join(ROOT, folder));
    const name = folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const file = files.find((candidate) => /^(licen[cs]e|copying)(\.|$)/i.test(candidate));
    if (file === undefined) {
      parts.push(`== ${name}\n\n${await declaredLicence(folder)}\n`);
    } else {
      parts.push(
        `== ${name}\n\n${(await readFile(path.join(ROOT, folder, file), 'utf8')).trim()}\n`,
      );
    }
  }
  return parts.join('\n');
}

/**
 * @param {string} input
 * @returns {string | undefined} the folder of the innermost package that a file belongs to
 */
export function packageFolder(input) {
  const folder = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
  return folder !== undefined && existsSync(path.join(ROOT, folder)) ? folder : undefined;
}

/** @param {string} folder */
async function declaredLicence(folder) {
  /** @type {{ license?: unknown, author?: unknown }} */
  const manifest = JSON.parse(await readFile(path.join(ROOT, folder, 'package.json'), 'utf8'));
  if (typeof manifest.license !== 'string') throw new Error(`${folder} has no licence`);
  return `${manifest.license} (the package has no licence file)`;
}

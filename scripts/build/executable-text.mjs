import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { transform } from 'esbuild';

/**
 * The shebang keeps NODE_OPTIONS from acting before our first line. Node's modules come from
 * process.getBuiltinModule, so that the file works as CommonJS and as ESM: which of the two it is
 * depends on a package.json near it that is not ours.
 */
const HEAD = `#!/usr/bin/env -S -u NODE_OPTIONS node
'use strict';
`;

/** What makes a function of the program, which boot.mjs calls. */
export const PROGRAM_HEAD = "(function (require, packageOf) { 'use strict';";
export const PROGRAM_FOOT = '})';

/** Hints for bundlers, which say nothing to V8. */
const HINT = /\/\* @__(PURE|NO_SIDE_EFFECTS)__ \*\/ ?/g;

/** Stands for what would end a comment. */
const COMMENT_END = '*@/';

/**
 * Puts an executable together: boot.mjs, and the texts that it turns into code.
 *
 * @param {string} name of the executable
 * @param {string} program between PROGRAM_HEAD and PROGRAM_FOOT
 * @param {ReadonlyMap<string, string>} packages by name: what the program asks `packageOf` for
 * @returns {Promise<string>}
 */
export async function executableText(name, program, packages) {
  const source = await readFile(path.join(import.meta.dirname, 'boot.mjs'), 'utf8');
  const { code: boot } = await transform(source.replace('export function', 'function'));
  const main = program.replaceAll(HINT, '');
  const start = `${HEAD}${boot}boot(\n{\n${comment('main', main)}`;
  const rest = [...packages].sort(([a], [b]) => (a < b ? -1 : 1));
  const about = {
    name,
    digest: createHash('sha256').update(main).digest('hex').slice(0, 16),
    line: start.slice(0, start.indexOf(main.slice(0, main.indexOf('\n')))).split('\n').length - 1,
  };
  const texts = rest.map(([key, text]) => comment(key, compress(text))).join('');
  return `${start}${texts}},\n${JSON.stringify(about)},\n);\n`;
}

/**
 * Node reads the whole file at each start, and what few runs need should not make it twice as long.
 *
 * @param {string} text
 */
function compress(text) {
  const lines =
    brotliCompressSync(text)
      .toString('base64')
      .match(/.{1,100}/g) ?? [];
  return `\n${lines.join('\n')}\n`;
}

/**
 * @param {string} name
 * @param {string} text
 * @returns {string} a method whose body is the text, in a comment
 */
function comment(name, text) {
  if (text.includes(COMMENT_END)) throw new Error(`${name} has '${COMMENT_END}' in it`);
  return `${JSON.stringify(name)}() {/*${text.replaceAll('*/', COMMENT_END)}*/},\n`;
}

import { normalize, resolve } from 'node:path';
import { format } from 'node:util';
// @ts-expect-error -- it has no types
import * as strings from '../../node_modules/yargs-parser/build/lib/string-utils.js';
// @ts-expect-error -- it has no types
import { YargsParser } from '../../node_modules/yargs-parser/build/lib/yargs-parser.js';

/** What yargs-parser's own index.js makes, less its reading of files and of the environment. */

const parser = new YargsParser({
  cwd: () => '/',
  env: () => ({}),
  format,
  normalize,
  resolve,
  /** @param {string} path */
  require: (path) => {
    throw new Error(`yargs-parser wanted to read ${path}`);
  },
});

/**
 * @param {string[]} args
 * @param {Record<string, unknown>} [options]
 */
function parse(args, options) {
  return parser.parse([...args], options).argv;
}

/**
 * @param {string[]} args
 * @param {Record<string, unknown>} [options]
 */
function detailed(args, options) {
  return parser.parse([...args], options);
}

export default Object.assign(parse, { detailed, ...strings });

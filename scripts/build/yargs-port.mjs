import { basename, dirname, extname, join, relative, resolve } from 'node:path';
import { format, inspect } from 'node:util';
// @ts-expect-error -- it has no types
import cliui from 'cliui';
import stringWidth from 'string-width';
import Parser from 'yargs-parser';

/**
 * yargs' port to the machine, where there is no machine: no files, no environment, no locale.
 * Only the help text is made with yargs, and it is the same everywhere.
 */

/** @type {() => never} */
const refuse = () => {
  throw new Error('yargs wanted to read a file');
};

export default {
  assert: {
    /** @type {(actual: unknown, expected: unknown, message?: string) => void} */
    strictEqual: (actual, expected, message) => {
      if (!Object.is(actual, expected)) throw new Error(message ?? 'expected the same value');
    },
    /** @type {(actual: unknown, expected: unknown, message?: string) => void} */
    notStrictEqual: (actual, expected, message) => {
      if (Object.is(actual, expected)) throw new Error(message ?? 'expected another value');
    },
  },
  cliui,
  findUp: () => undefined,
  getEnv: () => undefined,
  inspect,
  getProcessArgvBin: () => '',
  mainFilename: '/',
  Parser,
  path: { basename, dirname, extname, relative, resolve, join },
  process: {
    argv: () => [],
    cwd: () => '/',
    emitWarning: () => undefined,
    execPath: () => '',
    exit: refuse,
    /** @type {(callback: () => void) => void} */
    nextTick: (callback) => {
      queueMicrotask(callback);
    },
    stdColumns: null,
  },
  readFileSync: refuse,
  readdirSync: refuse,
  require: refuse,
  getCallerFile: refuse,
  stringWidth,
  y18n: {
    __: format,
    /** @type {(one: string, many: string, count: number, ...rest: unknown[]) => string} */
    __n: (one, many, count, ...rest) => format(count === 1 ? one : many, count, ...rest),
    getLocale: () => 'en',
    setLocale: () => undefined,
    updateLocale: () => undefined,
  },
};

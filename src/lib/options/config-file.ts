import { readdirSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { ConfigurationError, errnoOf, messageOf } from '../system/errors.ts';
import { readBounded, distrust } from '../system/read-file.ts';
import type { Option, OptionTable } from './option.ts';
import { nearest } from './nearest.ts';
import type { Source } from './resolve-options.ts';

const MAX_BYTES = 1024 * 1024;
const LINK = 'is a symbolic link: refused';

/**
 * The configuration files that `--config` names: files, and all `*.toml` in folders.
 *
 * @returns absolute paths, those of a folder sorted by name
 * @throws ConfigurationError for a path that does not exist, or a folder without such a file
 */
export function configurationFiles(paths: readonly string[]): readonly string[] {
  return paths.flatMap((given) => {
    let path = given;
    try {
      path = resolve(given); // from where we were started, which may be gone
      if (!statSync(path).isDirectory()) return [path];
      const names = readdirSync(path).filter(isConfigurationFile);
      if (names.length === 0) throw new ConfigurationError(`${path}: holds no *.toml`);
      return names.sort().map((name) => join(path, name));
    } catch (error) {
      if (error instanceof ConfigurationError) throw error;
      throw new ConfigurationError(`${path}: ${errorText(error)}`, { cause: error });
    }
  });
}

/** Whether a file of a folder of configurations is one of them. */
export function isConfigurationFile(name: string): boolean {
  return /^[^.].*\.toml$/.test(name);
}

/** The name of the instance that a configuration file is for. */
export function instanceOfFile(path: string): string {
  return basename(path).replace(/\.toml$/, '');
}

/**
 * Reads a configuration file: TOML whose keys are the options' names.
 *
 * @param ownUid a file that somebody else could have written is not obeyed
 * @throws ConfigurationError that names file and key, in one line
 */
export function configurationSource(path: string, table: OptionTable, ownUid: number): Source {
  const texts = new Map<string, readonly string[]>();
  for (const [key, given] of Object.entries(readToml(path, ownUid))) {
    const option = Object.hasOwn(table, key) ? table[key] : undefined;
    if (option === undefined) throw new ConfigurationError(`${path}: ${unknownKey(key, table)}`);
    if (!option.configurable) {
      throw new ConfigurationError(`${path}: ${key}: can only be given on the command line`);
    }
    texts.set(key, textsOf(given, option, `${path}: ${key}`));
  }
  return { texts, label: (name) => `${path}: ${name}`, isFile: true };
}

/**
 * The keys and values of a configuration file.
 *
 * @throws ConfigurationError that names the file, in one line
 */
export function readToml(path: string, ownUid: number): Readonly<Record<string, unknown>> {
  try {
    const reason = distrust(path, ownUid);
    if (reason !== undefined) throw new ConfigurationError(`${path}: ${reason}`);
    return parse(readBounded(path, MAX_BYTES));
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    if (error instanceof TomlError) {
      const [message] = error.message.split('\n');
      const text = `${path}: line ${error.line}, column ${error.column}: ${message ?? ''}`;
      throw new ConfigurationError(text, { cause: error });
    }
    throw new ConfigurationError(`${path}: ${errorText(error)}`, { cause: error });
  }
}

function unknownKey(key: string, table: OptionTable): string {
  const meant = nearest(key, Object.keys(table));
  return `unknown key '${key}'${meant === undefined ? '' : ` (did you mean '${meant}'?)`}`;
}

/** A TOML value as the texts that the same option would have on a command line. */
function textsOf(given: unknown, option: Option<unknown>, label: string): readonly string[] {
  if (Array.isArray(given)) {
    if (option.kind !== 'list')
      throw new ConfigurationError(`${label}: takes one value, not a list`);
    // An empty one would replace the defaults: a probe that asks nobody is always content.
    if (given.length === 0) throw new ConfigurationError(`${label}: must not be empty`);
    return given.map((item: unknown) => textOf(item, option, label));
  }
  return [textOf(given, option, label)];
}

function textOf(given: unknown, option: Option<unknown>, label: string): string {
  if (typeof given === 'boolean' && option.kind === 'flag') return String(given);
  if (typeof given === 'string' && option.kind !== 'flag') return given;
  if (typeof given === 'number' && option.kind !== 'flag') return String(given);
  const wanted = option.kind === 'flag' ? 'true or false' : 'a string or a number';
  throw new ConfigurationError(`${label}: must be ${wanted}`);
}

function errorText(error: unknown): string {
  switch (errnoOf(error)) {
    case 'ENOENT':
      return 'no such file';
    case 'ELOOP':
      return LINK;
    case 'EACCES':
      return 'no permission to read it';
    default:
      return messageOf(error);
  }
}

import parser from 'yargs-parser';
import { UsageError } from '../system/errors.ts';
import { nearest } from './nearest.ts';
import type { OptionTable } from './option.ts';

/** The texts that one source gave for options, by name, in their order. */
export type Texts = ReadonlyMap<string, readonly string[]>;

export interface Operands {
  readonly positional: readonly string[];
  /** What follows `--`. */
  readonly rest: readonly string[];
}

export interface Arguments {
  readonly texts: Texts;
  readonly operands: Operands;
}

/**
 * Splits a command line by a table of options. Values stay texts: what they mean is the table's.
 *
 * @throws UsageError for an unknown option, one without its value, or a switch with one
 */
export function parseArguments(argv: readonly string[], table: OptionTable): Arguments {
  const entries = Object.entries(table);
  const flags = entries.filter(([, { kind }]) => kind === 'flag').map(([name]) => name);
  const valued = entries.filter(([, { kind }]) => kind !== 'flag').map(([name]) => name);
  const { argv: parsed, error } = parser.detailed([...argv], {
    boolean: flags,
    string: valued,
    narg: Object.fromEntries(valued.map((name) => [name, 1])),
    alias: Object.fromEntries(
      entries.flatMap(([name, { alias }]) => (alias === undefined ? [] : [[name, [alias]]])),
    ),
    configuration: {
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'populate--': true,
      'strip-aliased': true,
      'unknown-options-as-args': true,
    },
  });
  checkSwitches(argv, table);
  if (error !== null) throw new UsageError(wordError(error.message));
  const texts = new Map<string, readonly string[]>();
  for (const [name, given] of Object.entries(parsed)) {
    if (name === '_' || name === '--') continue;
    if (!Object.hasOwn(table, name)) throw unknownOption(`--${name}`, table);
    texts.set(name, (Array.isArray(given) ? given : [given]).map(String));
  }
  const positional = parsed._.map(String);
  const stray = positional.find((text) => text.startsWith('-') && text !== '-');
  if (stray !== undefined) throw unknownOption(stray, table);
  return { texts, operands: { positional, rest: (parsed['--'] ?? []).map(String) } };
}

function wordError(message: string): string {
  const missing = /^Not enough arguments following: (.+)$/.exec(message);
  return missing?.[1] === undefined ? message : `--${missing[1]} needs a value`;
}

/** yargs-parser takes any value of a switch for false. */
function checkSwitches(argv: readonly string[], table: OptionTable): void {
  for (const text of argv) {
    if (text === '--') return;
    const [, dashes, name, given] = /^(--?)([^=-][^=]*)=(.*)$/s.exec(text) ?? [];
    if (dashes === undefined || name === undefined) continue;
    const flags = Object.entries(table).filter(([, { kind }]) => kind === 'flag');
    const isSwitch = flags.some(([long, { alias }]) => long === name || alias === name);
    if (isSwitch && given !== 'true' && given !== 'false') {
      throw new UsageError(`${dashes}${name} takes no value`);
    }
  }
}

function unknownOption(text: string, table: OptionTable): UsageError {
  const name = text.replace(/^-+/, '').replace(/=.*$/s, '');
  const meant = nearest(name, Object.keys(table));
  const shown = text.replace(/=.*$/s, '');
  return new UsageError(
    `unknown option ${shown}${meant === undefined ? '' : ` (did you mean --${meant}?)`}`,
  );
}

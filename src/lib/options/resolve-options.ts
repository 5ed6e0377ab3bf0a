import { ConfigurationError, UsageError } from '../system/errors.ts';
import type { Option, OptionTable, Values } from './option.ts';
import type { Texts } from './parse-arguments.ts';

/** One place where options come from, the first that names an option wins. */
export interface Source {
  readonly texts: Texts;
  /** How the source calls an option, for messages. */
  readonly label: (name: string) => string;
  /** A mistake in a file is another exit status than one on the command line. */
  readonly isFile: boolean;
}

/**
 * Makes the values of a table's options out of their sources and defaults.
 *
 * @throws UsageError or ConfigurationError that names the flag, the variable or the key
 */
export function resolveOptions<Table extends OptionTable>(
  table: Table,
  sources: readonly Source[],
): Values<Table> {
  const values = Object.entries(table).map(([name, option]) => {
    const source = sources.find(({ texts }) => texts.has(name));
    return [name, option.collect(parsedTexts(name, option, source))];
  });
  // The table's own parsers made these values, each under its own name.
  return Object.fromEntries(values) as Values<Table>;
}

function parsedTexts(
  name: string,
  option: Option<unknown>,
  source: Source | undefined,
): readonly unknown[] {
  const texts = source?.texts.get(name);
  if (source === undefined || texts === undefined) return parsedDefaults(option);
  try {
    return texts.map((text) => option.parse(text));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const message = `${source.label(name)}: ${error.message}`;
    throw source.isFile
      ? new ConfigurationError(message, { cause: error })
      : new UsageError(message, { cause: error });
  }
}

const known = new WeakMap<Option<unknown>, readonly unknown[]>();

/** The defaults' values, which are the same for every instance of a process. */
function parsedDefaults(option: Option<unknown>): readonly unknown[] {
  const values = known.get(option) ?? option.defaultTexts.map(option.parse);
  known.set(option, values);
  return values;
}

/** What the command line gave. */
export function argumentSource(texts: Texts): Source {
  return { texts, label: (name) => `--${name}`, isFile: false };
}

/**
 * What the environment gives: `ANYCAST_HA_STATE_DIR` for `--state-dir`, several values of a
 * repeatable option separated by commas. Variables of no option of this table are left alone:
 * they may be another executable's.
 */
export function environmentSource(
  environment: Readonly<Record<string, string | undefined>>,
  table: OptionTable,
): Source {
  const texts = new Map<string, readonly string[]>();
  for (const [name, option] of Object.entries(table)) {
    const given = option.configurable ? environment[variableName(name)] : undefined;
    if (given === undefined || given === '') continue;
    texts.set(name, option.kind === 'list' ? given.split(',').map((part) => part.trim()) : [given]);
  }
  return { texts, label: variableName, isFile: false };
}

function variableName(option: string): string {
  return `ANYCAST_HA_${option.toUpperCase().replaceAll('-', '_')}`;
}

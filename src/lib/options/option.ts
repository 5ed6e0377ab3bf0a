/**
 * How executables declare their options. One table serves the parser, the environment, the
 * configuration file, --help and the completion, so that they cannot drift apart.
 */
export interface Option<T> {
  readonly kind: 'flag' | 'value' | 'list';
  /** One argument's text to its value. Throws RangeError with a message to put behind the name. */
  readonly parse: (text: string) => unknown;
  /** What is taken when no source names the option, as a user would write it. */
  readonly defaultTexts: readonly string[];
  /** Makes the option's value of the parsed texts, which are the defaults' where none was given. */
  readonly collect: (parsed: readonly unknown[]) => T;
  readonly group: string;
  readonly alias: string | undefined;
  readonly metavar: string;
  readonly describe: string;
  /** Shown for the default where its text would not tell a reader enough. */
  readonly defaultNote: string | undefined;
  /** The values that completion offers. */
  readonly choices: readonly string[];
  /** What completion offers in place of choices. */
  readonly completes: 'file' | 'directory' | 'instance' | 'interface' | undefined;
  /** Whether a configuration file and the environment may set it: not for one-off modes. */
  readonly configurable: boolean;
}

export type OptionTable = Readonly<Record<string, Option<unknown>>>;

/** The values of a table's options, under the options' own names. */
export type Values<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Option<infer T> ? T : never;
};

/** Reads one argument. Throws RangeError with a message that fits behind the name of a flag. */
export interface ValueParser<T> {
  (text: string): T;
  /** For help: what the argument is. */
  readonly metavar: string;
  readonly choices?: readonly string[];
  readonly completes?: 'file' | 'directory' | 'instance' | 'interface';
}

interface Description {
  readonly describe: string;
  readonly group?: string;
  readonly alias?: string;
  readonly metavar?: string;
  readonly defaultNote?: string;
  readonly configurable?: boolean;
}

/** A switch: absent is false. `--no-…` forms do not exist. */
export function flag(description: Description): Option<boolean> {
  return {
    ...common(description, undefined),
    kind: 'flag',
    metavar: '',
    parse: parseSwitch,
    defaultTexts: ['false'],
    collect: (parsed) => parsed.at(-1) === true,
  };
}

/** A single-valued option with a default. Given twice, the last one wins. */
export function value<T>(
  parser: ValueParser<T>,
  description: Description & { readonly default: string },
): Option<T> {
  return {
    ...common(description, parser),
    kind: 'value',
    parse: parser,
    defaultTexts: [description.default],
    collect: (parsed) => parsed.at(-1) as T,
  };
}

/** A single-valued option that may be absent. Given twice, the last one wins. */
export function optional<T>(
  parser: ValueParser<T>,
  description: Description,
): Option<T | undefined> {
  return {
    ...common(description, parser),
    kind: 'value',
    parse: parser,
    defaultTexts: [],
    collect: (parsed) => parsed.at(-1) as T | undefined,
  };
}

/** A repeatable option; giving it once replaces the defaults. */
export function list<T>(
  parser: ValueParser<T>,
  description: Description & { readonly default?: readonly string[] },
): Option<readonly T[]> {
  return {
    ...common(description, parser),
    kind: 'list',
    parse: parser,
    defaultTexts: description.default ?? [],
    collect: (parsed) => parsed as readonly T[],
  };
}

function common(
  description: Description,
  parser: ValueParser<unknown> | undefined,
): Pick<
  Option<unknown>,
  | 'group'
  | 'alias'
  | 'metavar'
  | 'describe'
  | 'defaultNote'
  | 'choices'
  | 'completes'
  | 'configurable'
> {
  return {
    group: description.group ?? 'Probe',
    alias: description.alias,
    metavar: description.metavar ?? parser?.metavar ?? '',
    describe: description.describe,
    defaultNote: description.defaultNote,
    choices: parser?.choices ?? [],
    completes: parser?.completes,
    configurable: description.configurable ?? true,
  };
}

function parseSwitch(text: string): boolean {
  if (text === 'true' || text === '1' || text === 'yes') return true;
  if (text === 'false' || text === '0' || text === 'no') return false;
  throw new RangeError(`'${text}' is neither true nor false`);
}

import { ExitStatus } from '../system/exit-status.ts';
import type { Option, OptionTable } from '../options/option.ts';
import type { Example } from '../probe/probe-program.ts';

/** What --help, --completion and the man page are about. */
export interface HelpSubject {
  readonly name: string;
  /** One line: what it does. */
  readonly summary: string;
  /** What stands behind the options, such as `INSTANCE...`; empty for none. */
  readonly synopsis: string;
  /** Every option it takes. */
  readonly table: OptionTable;
  readonly examples: readonly Example[];
  /** What follows the examples; by default the exit statuses of a probe. */
  readonly epilogue?: string;
}

/** The group that stands last, whatever the order of the table. */
const LAST_GROUP = 'General';

const NARROWEST = 40; // columns: below, the text is cut by the terminal rather than unreadable

const PROBE_STATUSES: readonly (readonly [status: number, meaning: string])[] = [
  [ExitStatus.up, 'up, or suspended on purpose, or nothing to do'],
  [ExitStatus.down, 'down'],
  [ExitStatus.usage, 'a mistake on the command line'],
  [ExitStatus.unknown, 'unknown: the probe could not tell'],
  [ExitStatus.bug, 'a bug in this program'],
  [ExitStatus.kernel, 'the kernel did not take, or does not show, the change'],
  [ExitStatus.state, 'the state cannot be written'],
  [ExitStatus.busy, 'another pass holds the lock'],
  [ExitStatus.permission, 'no permission'],
  [ExitStatus.configuration, 'a mistake in a configuration'],
];

/**
 * Lists exit statuses for the end of a help text.
 *
 * @param statuses number and meaning, as they are to be listed
 * @returns lines whose columns --help aligns
 */
export function describeExitStatuses(
  statuses: readonly (readonly [status: number, meaning: string])[],
): string {
  const rows = statuses.map(([status, meaning]) => `  ${status}\t  ${meaning}`);
  return ['Exit status:', ...rows].join('\n');
}

/**
 * Writes the text of --help, with yargs. The build runs this, and puts the text into the executable
 * in place of it (scripts/build/help-plugin.mjs).
 *
 * @param width columns of the terminal
 * @returns lines, without a newline at the end
 */
export async function renderHelp(subject: HelpSubject, width: number): Promise<string> {
  const { default: yargs } = await import('yargs');
  const screen = yargs([])
    .scriptName(subject.name)
    .locale('en')
    .help(false)
    .version(false)
    .wrap(Math.max(width, NARROWEST))
    // Names are shown as they are; nothing is parsed here.
    .parserConfiguration({ 'camel-case-expansion': false, 'dot-notation': false })
    .usage(`Usage: ${usageLine(subject)}\n\n${subject.summary}`);

  for (const [group, options] of grouped(subject.table)) {
    const keys = options.map(([name, option]) => {
      // yargs has no names for arguments, but takes any text for a flag's name.
      const key = option.metavar === '' ? name : `${name} ${option.metavar}`;
      screen.option(key, {
        describe: describeOption(option),
        ...(option.alias === undefined ? {} : { alias: option.alias }),
      });
      return key;
    });
    screen.group(keys, `${group}:`);
  }
  // yargs' own examples are two columns, in which a command line that is long is torn apart.
  const examples = subject.examples.map(({ command, meaning }) => `  ${command}\n      ${meaning}`);
  const statuses = subject.epilogue ?? describeExitStatuses(PROBE_STATUSES);
  screen.epilogue(['Examples:', ...examples, '', statuses].join('\n'));
  const text = await screen.getHelp();
  return text.replace(/[ \t]+$/gm, '').trimEnd();
}

/** The command with all that may follow it, as the first line of help shows it. */
export function usageLine(subject: HelpSubject): string {
  return `${subject.name} [options] ${subject.synopsis}`.trimEnd();
}

/** The options by group, in the order of the table, General last. */
function grouped(
  table: OptionTable,
): readonly (readonly [string, readonly (readonly [string, Option<unknown>])[]])[] {
  const groups = new Map<string, [string, Option<unknown>][]>();
  for (const [name, option] of Object.entries(table)) {
    const options = groups.get(option.group) ?? [];
    options.push([name, option]);
    groups.set(option.group, options);
  }
  const last = groups.get(LAST_GROUP);
  groups.delete(LAST_GROUP);
  if (last !== undefined) groups.set(LAST_GROUP, last);
  return [...groups];
}

/** The description, with what a reader has to know of the default and of how often it is given. */
function describeOption(option: Option<unknown>): string {
  const notes: string[] = [];
  const shown = option.metavar.split('|');
  if (option.choices.some((choice) => !shown.includes(choice))) {
    notes.push(`of ${option.choices.join(', ')}`);
  }
  if (option.kind === 'list' && !/repeatable/i.test(option.describe)) notes.push('repeatable');
  const standard =
    option.defaultNote ?? (option.kind === 'flag' ? '' : option.defaultTexts.join(', '));
  if (standard !== '') notes.push(`default: ${standard}`);
  return [option.describe, ...notes.map((note) => `[${note}]`)].join(' ');
}

import { messageOf, ReportedError, stackOf } from '../system/errors.ts';
import { ExitStatus } from '../system/exit-status.ts';
import { generalOptions } from '../options/common-options.ts';
import type { HelpSubject } from './help.ts';
import { createOutput, printable, write, type Output } from './output.ts';
import { parseArguments, type Arguments } from '../options/parse-arguments.ts';
import { argumentSource, resolveOptions } from '../options/resolve-options.ts';

/** Columns of the help text, which is written when the executable is built. */
const HELP_WIDTH = 80;

/**
 * What every executable does around its work: options, help, messages, exit status. Ends the
 * process, for whatever a probe left open must not keep it.
 */
export async function runMain(
  subject: HelpSubject,
  work: (args: Arguments, output: Output) => Promise<number>,
): Promise<never> {
  process.exit(await main(subject, work));
}

/**
 * What a monitoring plugin says of its own failure: UNKNOWN, on stdout, for that is all that a
 * monitoring system shows (Monitoring Plugins Development Guidelines).
 */
const PLUGIN_UNKNOWN = 3;

/** Whether this run is one of a monitoring plugin, also where its options cannot be read. */
function isPlugin({ table }: HelpSubject): boolean {
  const given = process.argv.slice(2);
  const end = given.indexOf('--');
  const isItsFlag = table['watch'] !== undefined; // exec-probe has a flag of this name, too
  return isItsFlag && given.slice(0, end === -1 ? undefined : end).includes('--plugin');
}

async function main(
  subject: HelpSubject,
  work: (args: Arguments, output: Output) => Promise<number>,
): Promise<number> {
  const { name } = subject;
  // Node has read its compile cache by now; what we start is not to write to it.
  delete process.env['NODE_COMPILE_CACHE'];
  let output = createOutput({ name, verbose: false, quiet: false, environment: process.env });
  const bug = (error: unknown): number => {
    output.error(`this is a bug: ${stackOf(error)}`);
    return ExitStatus.bug;
  };
  process.on('uncaughtException', (error) => {
    const status = bug(error);
    output.flush();
    process.exit(status);
  });
  let status: number;
  try {
    const args = parseArguments(process.argv.slice(2), subject.table);
    const values = resolveOptions(generalOptions, [argumentSource(args.texts)]);
    const { verbose, quiet, completion } = values;
    output = createOutput({ name, verbose, quiet, environment: process.env });
    if (values.help || values.version || completion !== undefined) {
      write(1, await describe(subject, values));
      return ExitStatus.up;
    }
    status = await work(args, output);
  } catch (error) {
    if (isPlugin(subject)) {
      write(1, `ANYCAST UNKNOWN - ${printable(messageOf(error)).replaceAll('|', '/')}\n`);
      return PLUGIN_UNKNOWN;
    }
    if (error instanceof ReportedError) {
      output.error(messageOf(error));
      status = error.exitStatus;
    } else {
      status = bug(error);
    }
  }
  output.flush();
  return status;
}

async function describe(
  subject: HelpSubject,
  asked: { readonly help: boolean; readonly completion: 'bash' | 'zsh' | undefined },
): Promise<string> {
  if (asked.help) {
    const { renderHelp } = await import('./help.ts');
    return `${await renderHelp(subject, HELP_WIDTH)}\n`;
  }
  if (asked.completion !== undefined) {
    const { renderCompletion } = await import('./completion.ts');
    return renderCompletion(subject, asked.completion);
  }
  const { version } = await import('./version.ts');
  return `${subject.name} ${version}\n`;
}

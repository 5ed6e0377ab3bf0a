import { messageOf, ReportedError, stackOf } from '../system/errors.ts';
import { ExitStatus } from '../system/exit-status.ts';
import { generalOptions } from './common-options.ts';
import type { HelpSubject } from './help.ts';
import { createOutput, write, type Output } from './output.ts';
import { parseArguments, type Arguments } from './parse-arguments.ts';
import { argumentSource, resolveOptions } from './resolve-options.ts';

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

async function main(
  subject: HelpSubject,
  work: (args: Arguments, output: Output) => Promise<number>,
): Promise<number> {
  const { name } = subject;
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
    const { terminalWidth } = await import('./terminal.ts');
    return `${await renderHelp(subject, terminalWidth())}\n`;
  }
  if (asked.completion !== undefined) {
    const { renderCompletion } = await import('./completion.ts');
    return renderCompletion(subject, asked.completion);
  }
  const { version } = await import('./version.ts');
  return `${subject.name} ${version}\n`;
}

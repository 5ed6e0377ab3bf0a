import { UsageError } from '../system/errors.ts';
import type { Example } from '../probe/probe-program.ts';
import type { Operands } from '../options/parse-arguments.ts';
import type { OptionTable, Values } from '../options/option.ts';
import type { Output } from './output.ts';
import { argumentSource, environmentSource, resolveOptions } from '../options/resolve-options.ts';
import { runMain } from './run-main.ts';
import { isName } from '../options/value-parsers.ts';

/** What an entry in src/bin declares of a command that looks after instances. */
export interface HaProgram<Table extends OptionTable> {
  readonly name: string;
  readonly summary: string;
  readonly synopsis: string;
  readonly table: Table;
  readonly examples: readonly Example[];
  readonly epilogue: string;
  /** Does the work. Returns the exit status. Throws ReportedError. */
  readonly run: (values: Values<Table>, operands: Operands, output: Output) => Promise<number>;
}

/** Runs such a command, then the process ends. */
export function runHaProgram<Table extends OptionTable>(program: HaProgram<Table>): Promise<never> {
  return runMain(program, (args, output) => {
    const sources = [argumentSource(args.texts), environmentSource(process.env, program.table)];
    return program.run(resolveOptions(program.table, sources), args.operands, output);
  });
}

/**
 * The instances that a command line names.
 *
 * @throws UsageError for none, for names beside --all, or for what can be no name
 */
export function namedInstances({ positional }: Operands, all: boolean): readonly string[] {
  const stray = positional.find((name) => !isName(name));
  if (stray !== undefined) throw new UsageError(`'${stray}' is no instance name`);
  if (all && positional.length > 0) {
    throw new UsageError('--all: cannot be combined with the names of instances');
  }
  if (!all && positional.length === 0) throw new UsageError('name an instance, or give --all');
  return positional;
}

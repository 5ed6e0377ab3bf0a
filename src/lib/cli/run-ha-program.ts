import type { OptionTable, Values } from '../options/option.ts';
import type { Operands } from '../options/parse-arguments.ts';
import { argumentSource, environmentSource, resolveOptions } from '../options/resolve-options.ts';
import { isName } from '../options/value-parsers.ts';
import type { Example } from '../probe/probe-program.ts';
import { UsageError } from '../system/errors.ts';
import { ExitStatus } from '../system/exit-status.ts';
import type { Output } from './output.ts';
import { runMain } from './run-main.ts';

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

type Row = readonly [status: number | string, meaning: string];

/** The exit statuses that all ha-* commands share. */
const SHARED: readonly Row[] = [
  [ExitStatus.usage, 'a mistake on the command line'],
  [ExitStatus.noSuchInstance, 'no such instance on this node'],
  [ExitStatus.bug, 'a bug in this program'],
  [ExitStatus.kernel, 'the kernel did not take, or does not show, the change'],
  [ExitStatus.state, 'the state cannot be written'],
  [ExitStatus.busy, 'a pass holds the lock for too long, or somebody else suspends by that name'],
  [ExitStatus.permission, 'no permission'],
];

/** The end of a ha-* command's help text. */
export function haStatuses(own: readonly Row[]): string {
  const rows = [...own, ...SHARED].map(([status, meaning]) => `  ${status}\t  ${meaning}`);
  return ['Exit status:', ...rows].join('\n');
}

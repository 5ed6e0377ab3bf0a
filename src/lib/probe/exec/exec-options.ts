import type { ExecProbeOptions } from './exec-probe.ts';
import { UsageError } from '../../system/errors.ts';
import { flag, list, value, type Values, type ValueParser } from '../../options/option.ts';
import type { Prepared } from '../probe-program.ts';
import type { Operands } from '../../options/parse-arguments.ts';
import { oneOf } from '../../options/value-parsers.ts';

/** Any argument that a program can be given (execve(2)): an empty one too. */
const argument: ValueParser<string> = Object.assign(
  (given: string) => {
    if (given.includes('\0')) throw new RangeError('has a NUL character');
    return given;
  },
  { metavar: 'ARG' },
);

/** The options that exec-probe has beside those of every probe. */
export const execOptions = {
  command: list(argument, {
    describe: 'The command, one argument at a time, for configuration files; else it follows --.',
  }),
  'warning-is': value(oneOf('down', 'up'), {
    default: 'down',
    describe: 'What exit status 1 means (the WARNING of monitoring plugins).',
  }),
  plugin: flag({
    describe: 'It is a monitoring plugin: exit status 3 means that it could not tell.',
  }),
};

/** @throws UsageError when there is no command, or two */
export function prepareExec(
  values: Values<typeof execOptions>,
  { positional, rest }: Operands,
): Prepared<ExecProbeOptions> {
  const [stray] = positional;
  if (stray !== undefined) {
    throw new UsageError(`'${stray}': the command stands behind --`);
  }
  if (rest.length > 0 && values.command.length > 0) {
    throw new UsageError('--command: there is a command behind -- as well');
  }
  const [file, ...args] = rest.length > 0 ? rest : values.command;
  if (file === undefined || file === '') {
    throw new UsageError('no command: exec-probe [FLAG…] -- COMMAND [ARG…]');
  }
  return {
    options: { file, args, warningIs: values['warning-is'], isPlugin: values.plugin },
    targets: [],
  };
}

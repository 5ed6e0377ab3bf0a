import { expect, test } from 'vitest';
import { execOptions, prepareExec } from '../../../../src/lib/probe/exec/exec-options.ts';
import { UsageError } from '../../../../src/lib/system/errors.ts';
import { optionValues } from '../../../support/option-values.ts';

function prepare(
  given: Readonly<Record<string, readonly string[]>>,
  rest: readonly string[] = [],
  positional: readonly string[] = [],
): ReturnType<typeof prepareExec> {
  return prepareExec(optionValues(execOptions, given), { positional, rest });
}

test('the command is what stands behind --', () => {
  expect(prepare({}, ['check', '-H', '', '--help'])).toEqual({
    options: { file: 'check', args: ['-H', '', '--help'], warningIs: 'down', isPlugin: false },
    targets: [],
  });
});

test('the command may come from a configuration file', () => {
  const { options } = prepare({ command: ['check', '-w', '1'], 'warning-is': ['up'] });
  expect(options).toEqual({ file: 'check', args: ['-w', '1'], warningIs: 'up', isPlugin: false });
});

test.each([
  ['no command', {}, [], [], 'no command'],
  ['an empty command', {}, [''], [], 'no command'],
  ['two commands', { command: ['a'] }, ['b'], [], '--command'],
  ['a command without --', {}, [], ['check'], 'stands behind --'],
] as const)('%s is a mistake', (_, given, rest, positional, message) => {
  expect(() => prepare(given, rest, positional)).toThrow(UsageError);
  expect(() => prepare(given, rest, positional)).toThrow(message);
});

test('an argument cannot have a NUL character', () => {
  expect(() => prepare({ command: ['a\0b'] })).toThrow(RangeError);
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { flag, list, optional, value } from '../../../src/lib/options/option.ts';
import { nearest } from '../../../src/lib/options/nearest.ts';
import { parseArguments } from '../../../src/lib/options/parse-arguments.ts';
import { ipAddress, text } from '../../../src/lib/options/value-parsers.ts';
import { UsageError } from '../../../src/lib/system/errors.ts';

const table = {
  verbose: flag({ describe: 'say more', alias: 'v' }),
  all: flag({ describe: 'all of them' }),
  reason: value(text, { describe: 'why', default: 'none' }),
  'state-dir': optional(text, { describe: 'where' }),
  address: list(ipAddress, { describe: 'which', alias: 'a' }),
};

function parse(...argv: readonly string[]): unknown {
  const { texts, operands } = parseArguments(argv, table);
  const { positional, rest } = operands;
  return {
    ...Object.fromEntries(texts),
    ...(positional.length === 0 ? {} : { positional }),
    ...(rest.length === 0 ? {} : { rest }),
  };
}

describe('a command line', () => {
  const cases: readonly (readonly [argv: readonly string[], result: unknown])[] = [
    [[], {}],
    [['--verbose'], { verbose: ['true'] }],
    [['-v'], { verbose: ['true'] }],
    [['--reason', 'a b'], { reason: ['a b'] }],
    [['--reason=a=b'], { reason: ['a=b'] }],
    [['--reason', 'one', '--reason', 'two'], { reason: ['one', 'two'] }],
    [['-a', '192.0.2.1', '-a=192.0.2.2'], { address: ['192.0.2.1', '192.0.2.2'] }],
    [['-va', '192.0.2.1'], { verbose: ['true'], address: ['192.0.2.1'] }],
    [['--address=2001:db8::1'], { address: ['2001:db8::1'] }],
    [['--reason='], { reason: [''] }],
    [['--reason', '-5'], { reason: ['-5'] }],
    [['--reason', '"quoted"'], { reason: ['"quoted"'] }],
    [['--reason', '007'], { reason: ['007'] }],
    [['--reason', '1e3'], { reason: ['1e3'] }],
    [['dev0', '007', '53'], { positional: ['dev0', '007', '53'] }],
    [['one', '-'], { positional: ['one', '-'] }],
    [['--', 'sh', '-c', '--all', '0x10'], { rest: ['sh', '-c', '--all', '0x10'] }],
    [['-v', 'one', '--', 'sh'], { verbose: ['true'], positional: ['one'], rest: ['sh'] }],
    [['--', '--verbose=x'], { rest: ['--verbose=x'] }],
  ];

  test.each(cases)('%j', (argv, result) => {
    expect(parse(...argv)).toEqual(result);
  });
});

describe('a mistake names what is wrong', () => {
  test.each([
    [['--reason'], '--reason needs a value'],
    [['--reason', '--verbose'], '--reason needs a value'],
    [['--nonsense-beyond-guessing'], 'unknown option --nonsense-beyond-guessing'],
    [['--reson', 'x'], 'unknown option --reson (did you mean --reason?)'],
    [['--reson=secret'], 'unknown option --reson (did you mean --reason?)'],
    [['--state_dir', 'x'], 'did you mean --state-dir?'],
    [['--stateDir', 'x'], 'did you mean --state-dir?'],
    [['--no-verbose'], 'unknown option'],
    [['-x'], 'unknown option -x'],
    [['-vx'], 'unknown option -vx'],
    [['---verbose'], 'unknown option'],
    [['--verbose=yes'], '--verbose takes no value'],
    [['--verbose='], '--verbose takes no value'],
    [['-v=3'], '-v takes no value'],
    [['--__proto__', 'x'], 'unknown option --__proto__'],
    [['--constructor=x'], 'unknown option --constructor'],
    [['--toString'], 'unknown option --toString'],
    [['--reason.x', '1'], 'unknown option --reason.x'],
  ])('%j', (argv, message) => {
    expect(() => parse(...argv)).toThrow(UsageError);
    expect(() => parse(...argv)).toThrow(message);
  });

  test('a secret that was given to an unknown option is not repeated', () => {
    expect(() => parse('--pasword=hunter2')).toThrow(/^(?!.*hunter2)/);
  });
});

test('any command line is parsed or refused with a message of one line', () => {
  const word = fc.oneof(
    fc.constantFrom('--reason', '--verbose', '-a', '-v', '--', '-', '--all', '--state-dir='),
    fc.string(),
    fc.string().map((tail) => `--${tail}`),
    fc.string().map((tail) => `-${tail}`),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
      try {
        parse(...argv);
      } catch (error) {
        expect(error).toBeInstanceOf(UsageError);
      }
    }),
    { numRuns: 500 },
  );
});

test('whatever follows two dashes is left as it is', () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 1 }), (rest) => {
      expect(parse('-v', '--', ...rest)).toEqual({ verbose: ['true'], rest });
    }),
  );
});

test('the nearest name is one that is near', () => {
  const known = ['rise', 'fall', 'lease', 'state-dir'];
  expect(nearest('lese', known)).toBe('lease');
  expect(nearest('leas', known)).toBe('lease');
  expect(nearest('statedir', known)).toBe('state-dir');
  expect(nearest('zzzz', known)).toBeUndefined();
  expect(nearest('x'.repeat(10_000), known)).toBeUndefined();
});

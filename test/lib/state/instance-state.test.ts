import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { initialHealth, parseState } from '../../../src/lib/state/instance-state.ts';
import { exampleState, moment } from '../../support/example-state.ts';

const TEXT = JSON.stringify(
  exampleState({
    drain: { movedUntilMs: 1_002_000, untilMs: 1_005_000, addresses: ['2001:db8::1'] },
    suspensionIds: ['00112233'],
    warned: ['short-lease'],
  }),
);

describe('a state that was written', () => {
  test('is read as it was', () => {
    expect(parseState(TEXT)).toEqual(JSON.parse(TEXT));
    const bare = exampleState({
      lastPass: null,
      intervalMs: null,
      leaseFromMs: null,
      leaseMs: null,
    });
    expect(parseState(JSON.stringify(bare))).toEqual(bare);
  });

  test('by a newer version is known as such', () => {
    expect(parseState(JSON.stringify({ version: 2, whatever: [] }))).toBe('newer');
    expect(parseState(TEXT.replace('"version":1', '"version":17'))).toBe('newer');
  });

  test('may have more keys than are known: they are dropped', () => {
    const more = TEXT.replace('{', '{"more":1,"__proto__":{"version":3},');
    expect(parseState(more)).toEqual(JSON.parse(TEXT));
  });
});

describe('what is no state', () => {
  const replacements: readonly (readonly [what: string, from: string, to: string])[] = [
    ['a version that is no whole number', '"version":1', '"version":1.5'],
    ['an old version', '"version":1', '"version":0'],
    ['a negative moment', '"changedAtMs":500000', '"changedAtMs":-1'],
    ['a moment that is no whole number', '"changedAtMs":500000', '"changedAtMs":0.5'],
    ['a number too large to count with', '"flaps":0', '"flaps":9007199254740993'],
    ['infinity', '"flaps":0', '"flaps":1e999'],
    ['another status', '"status":"up"', '"status":"UP"'],
    ['null in the place of a number', '"rise":2', '"rise":null'],
    ['a name in the place of an address', '"198.51.100.1"', '"localhost"'],
    ['an address with a line break', '198.51.100.1', '198.51.100.1\\n'],
    ['an object in the place of a list', '"warned":["short-lease"]', '"warned":{}'],
  ];

  test.each(replacements)('%s', (_, from, to) => {
    const text = TEXT.replace(from, to);
    expect(text).not.toBe(TEXT);
    expect(parseState(text)).toBe('corrupt');
  });

  test('any beginning of one', () => {
    for (let length = 0; length < TEXT.length; length++) {
      expect(parseState(TEXT.slice(0, length))).toBe('corrupt');
    }
  });

  test('any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(['corrupt', 'newer']).toContain(parseState(JSON.stringify(value)));
      }),
    );
  });

  test('one with a byte changed never throws, and what is read can be written and read again', () => {
    const index = fc.nat(TEXT.length - 1);
    fc.assert(
      fc.property(index, fc.string({ maxLength: 3, unit: 'binary' }), (at, text) => {
        const read = parseState(TEXT.slice(0, at) + text + TEXT.slice(at + 1));
        if (typeof read === 'object') expect(parseState(JSON.stringify(read))).toEqual(read);
      }),
      { numRuns: 2000 },
    );
  });

  test('one with any value changed never throws', () => {
    const keys = Object.keys(exampleState());
    fc.assert(
      fc.property(fc.constantFrom(...keys), fc.jsonValue(), (key, value) => {
        const read = parseState(JSON.stringify({ ...exampleState(), [key]: value }));
        if (typeof read === 'object') expect(parseState(JSON.stringify(read))).toEqual(read);
      }),
      { numRuns: 1000 },
    );
  });
});

test('an instance of which nothing is known is as the kernel shows it, with nothing counted', () => {
  expect(initialHealth('up', moment(7000))).toEqual({
    status: 'up',
    successes: 0,
    failures: 0,
    changedAtMs: 7000,
    flaps: 0,
    holdUntilMs: 0,
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seal, unseal } from '../../../src/lib/state/sealed-text.ts';

const objects = fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 });

describe('sealed text', () => {
  test('is one JSON object with the checksum as its first member', () => {
    expect(seal('{"version":1}')).toBe('{"sum":"f8a0d53a","version":1}');
  });

  test('gives back what was sealed, with or without a newline behind it', () => {
    fc.assert(
      fc.property(objects, (object) => {
        const json = JSON.stringify(object);
        expect(unseal(seal(json))).toBe(json);
        expect(unseal(`${seal(json)}\n`)).toBe(json);
      }),
    );
  });

  test('that is no longer as it was written is not read', () => {
    fc.assert(
      fc.property(objects, fc.nat(), fc.string({ maxLength: 3, unit: 'binary' }), (o, at, put) => {
        const text = seal(JSON.stringify(o));
        const damaged = text.slice(0, at % text.length) + put + text.slice((at % text.length) + 1);
        fc.pre(damaged !== text);
        expect(unseal(damaged)).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
  });

  test.each(['', '{}', '{"version":1}', '{"sum":"00000000"}', '{"sum":"","version":1}'])(
    '%o is none',
    (text) => {
      expect(unseal(text)).toBeUndefined();
    },
  );
});

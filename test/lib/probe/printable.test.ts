import fc from 'fast-check';
import { expect, test } from 'vitest';
import { printable } from '../../../src/lib/probe/printable.ts';

test.each([
  ['plain text stays', 'TCP OK', 'TCP OK'],
  ['space around it goes', '  TCP OK \t', 'TCP OK'],
  ['line ends become spaces', 'one\r\ntwo\u2028three', 'one two three'],
  ['escape sequences lose their escape', '\u001b[31mred\u009b', '[31mred'],
  ['what turns the direction of text goes', 'a\u202eb\u200b', 'a b'],
  ['other scripts stay', 'Zugriff verweigert: Größe 日本 🚀', 'Zugriff verweigert: Größe 日本 🚀'],
])('%s', (_, text, shown) => {
  expect(printable(text, 100)).toBe(shown);
});

test('what is too long is cut and marked', () => {
  expect(printable('abcdef', 3)).toBe('abc…');
  expect(printable('abc', 3)).toBe('abc');
});

test('no character is cut in half', () => {
  expect(printable('ab🚀', 3)).toBe('ab…');
});

test('whatever comes in, one bounded and well-formed line comes out', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 40 }), (text, max) => {
      const shown = printable(text, max);
      expect(shown.length).toBeLessThanOrEqual(max + 1);
      expect(Buffer.from(shown).toString()).toBe(shown); // no half of a surrogate pair
      // eslint-disable-next-line no-control-regex -- exactly these must be gone
      expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
    }),
  );
});

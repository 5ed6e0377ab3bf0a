import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { expandIncludes, toRoff } from '../../scripts/build/man-pages.mjs';
import { formatManPage } from '../support/man-page.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.ts';

let folder: string;
beforeEach(() => {
  folder = createTemporaryFolder();
});
afterEach(() => {
  removeTemporaryFolder(folder);
});

/** The page on a wide terminal, without its first and last line. */
async function shown(markdown: string): Promise<string> {
  const roff = await toRoff(`# sample(8) -- a page\n\n${markdown}`);
  const lines = (await formatManPage(roff, 100)).split('\n');
  return lines.slice(1, -2).join('\n').trim();
}

test('parts are put into a page, and parts into parts', async () => {
  writeFileSync(path.join(folder, 'page.md'), 'first\n\n<!-- include _a.md -->\n\nlast\n');
  writeFileSync(path.join(folder, '_a.md'), 'a\n\n<!-- include _b.md -->\n');
  writeFileSync(path.join(folder, '_b.md'), 'b costs $1 & more\n');
  const text = await expandIncludes(folder, 'page.md');
  expect(text.trim()).toBe('first\n\na\n\nb costs $1 & more\n\nlast');
});

test('a missing part fails', async () => {
  writeFileSync(path.join(folder, 'page.md'), '<!-- include _missing.md -->\n');
  await expect(expandIncludes(folder, 'page.md')).rejects.toThrow('_missing.md');
});

test('the title line has name, section, date of the release and version', async () => {
  const roff = await toRoff('# sample-probe(8) -- a page\n\n## SYNOPSIS\n\n`sample-probe`\n');
  const [title] = roff.split('\n');
  expect(title).toMatch(
    /^\.TH "SAMPLE\\-PROBE" "8" "\d{4}-\d\d-\d\d" "anycast-ha \d+\.\d+\.\d+" "anycast-ha"$/,
  );
});

test('items that begin with a line and a colon are terms', async () => {
  const markdown =
    '## OPTIONS\n\n- `-a`, `--address` _ADDR_:\n  What.\n\n  More.\n- `-b`:\n  Else.\n';
  expect(await shown(markdown)).toMatch(
    /OPTIONS\n {7}-a, --address ADDR\n {14}What\.\n\n {14}More\.\n\n {7}-b {5}Else\.$/,
  );
});

test('other items keep their bullets', async () => {
  expect(await shown('## NOTES\n\n- one: thing\n- two\n')).toMatch(/o one: thing\n\n\s+o two/);
});

test('examples are shown as they are written', async () => {
  const markdown = `## EXAMPLES

Try:

    dns-probe --query '{nonce}.example. A' "x" \\
      <y> & .z
    .dot

    'quote

Done.
`;
  const lines = [
    'dns-probe --query \'{nonce}.example. A\' "x" \\',
    '  <y> & .z',
    '.dot',
    '',
    "'quote",
  ];
  const page = (await shown(markdown)).split('\n').map((line) => line.replace(/^ {2,9}/, ''));
  expect(page.join('\n')).toContain(`\n\n${lines.join('\n')}\n\nDone.`);
});

test('quotes in the text are quotes, also where roff would take them for a request', async () => {
  const markdown = `## NOTES\n\n'Single' and "double".\n\n'Again', in \`'{code}'\` & more.\n`;
  expect(await shown(markdown)).toMatch(
    /'Single' and "double"\.\n\n\s+'Again', in '\{code\}' & more\.$/,
  );
});

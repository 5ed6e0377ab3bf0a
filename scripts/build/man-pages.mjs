import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { packageVersion, replaceFile, ROOT } from './bundle.mjs';

const MARKED_MAN = path.join(ROOT, 'node_modules/marked-man/bin/marked-man.js');
const INCLUDE = /^<!-- include (\S+) -->$/m;

/**
 * Builds all man pages. A source is called NAME.SECTION.md; files that begin with an underscore
 * are parts, which a line `<!-- include FILE -->` puts into a page.
 *
 * @param {string} sources folder of the pages' Markdown
 * @param {string} target folder for the built pages
 * @throws when a part is missing
 */
export async function buildManPages(sources, target) {
  const files = await readdir(sources);
  const pages = files.filter((file) => /^[^_].*\.\d\.md$/.test(file));
  await mkdir(target, { recursive: true });
  await Promise.all(
    pages.map(async (page) => {
      const roff = await toRoff(await expandIncludes(sources, page));
      await replaceFile(path.join(target, page.slice(0, -'.md'.length)), roff, 0o644);
    }),
  );
}

/**
 * @param {string} folder
 * @param {string} file
 * @returns {Promise<string>} the file's text with its parts in it
 */
export async function expandIncludes(folder, file) {
  let text = (await readFile(path.join(folder, file), 'utf8')).trimEnd();
  for (let found = INCLUDE.exec(text); found !== null; found = INCLUDE.exec(text)) {
    const part = await expandIncludes(folder, String(found[1]));
    text = text.slice(0, found.index) + part + text.slice(found.index + found[0].length);
  }
  return text;
}

/**
 * @param {string} markdown a page, whose title is `NAME(SECTION) -- what it is`
 * @returns {Promise<string>} the page for man(1)
 */
export async function toRoff(markdown) {
  const run = promisify(execFile)(process.execPath, [MARKED_MAN, '--no-breaks']);
  run.child.stdin?.end(markdown);
  const { stdout } = await run;
  return tidyRoff(stdout).replace(/^\.TH "([^"]*)" "(\d)".*$/m, await titleLine());
}

/** The date is that of the release: the same sources make the same page on every day. */
async function titleLine() {
  const changes = await readFile(path.join(ROOT, 'CHANGELOG.md'), 'utf8');
  const date = /^## \S+ \((\d{4}-\d\d-\d\d)\)/m.exec(changes)?.[1];
  if (date === undefined) throw new Error('CHANGELOG.md has no dated release');
  return `.TH "$1" "$2" "${date}" "anycast-ha ${await packageVersion()}" "anycast-ha"`;
}

/**
 * Mends what marked-man's output lacks. Quotes are not HTML. A list whose items begin with a line
 * that ends in a colon becomes a list of terms. Lists are not indented as a whole, examples stand
 * apart from the text; superfluous blank lines and paragraph marks, at which mandoc complains, go.
 *
 * @param {string} roff
 */
export function tidyRoff(roff) {
  const quoted = roff.replaceAll('&#39;', '\\(aq').replaceAll('&quot;', '\\(dq');
  const lists = quoted.replace(/^\.RS 1\n([^]*?)^\.RE\n/gm, (_, /** @type {string} */ items) =>
    items
      .replace(/^\.IP \\\(bu 2\n(.*):\n/gm, '.TP\n$1\n')
      // A further paragraph of an item stays indented.
      .replace(/^\.P$/gm, '.IP'),
  );
  /** @type {string[]} */
  const lines = [];
  let verbatim = false;
  for (const line of lists.split('\n')) {
    if (line === '.nf' || line === '.fi') verbatim = line === '.nf';
    if (line === '' && !verbatim) continue;
    if (line === '.RS 2') lines.push('.sp');
    if (line === '.P' && /^\.S[HS] /.test(lines.at(-1) ?? '')) continue;
    lines.push(line);
  }
  return `${lines.join('\n')}\n`;
}

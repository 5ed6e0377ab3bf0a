import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT, run } from '../support/executable.ts';
import { formatManPage } from '../support/man-page.ts';

const EXECUTABLES = readdirSync(path.join(ROOT, 'src/bin')).map((file) => path.parse(file).name);

/** A built man page, with long lines. */
function manPage(page: string): Promise<string> {
  return formatManPage(readFileSync(path.join(ROOT, 'dist/man', page), 'utf8'), 500);
}

/** The text of a section, up to the next one. */
function section(page: string, heading: string): string {
  return new RegExp(`^${heading}\\n([^]*?)(?=^\\S|$(?![^]))`, 'm').exec(page)?.[1] ?? '';
}

interface Documented {
  readonly alias: string | undefined;
  readonly standard: string | undefined;
}

/** What --help says, by the flags' names. */
function flagsOfHelp(help: string): Map<string, Documented> {
  const [options = ''] = help.split(/^Examples:$/m);
  const items = options.split(/^(?= {2}(?:-\w, | {4})--)/m).slice(1);
  return new Map(
    items.map((item) => {
      const text = item.replace(/\s+/g, ' ');
      const [, alias, name = ''] = /^ (?:-(\w), )?--([\w-]+)/.exec(text) ?? [];
      return [name, { alias, standard: /\[default: (.*?)\]/.exec(text)?.[1] }];
    }),
  );
}

/** What the page's OPTIONS say, by the flags' names. */
function flagsOfPage(page: string): Map<string, Documented> {
  const items = section(page, 'OPTIONS')
    .split(/^(?= {7}(?:-\w, )?--)/m)
    .filter((item) => /^ {7}-/.test(item));
  return new Map(
    items.map((item) => {
      const text = item.replace(/\s+/g, ' ');
      const [, alias, name = ''] = /^ (?:-(\w), )?--([\w-]+)/.exec(text) ?? [];
      return [name, { alias, standard: /Default: (.+?)\.(?= |$)/.exec(text)?.[1] }];
    }),
  );
}

/** The flags that a completion script offers. */
function flagsOfCompletion(script: string): string[] {
  const offered = new Set(script.match(/(?<![\w-])--[a-z][\w-]*/g) ?? []);
  return [...offered].map((flag) => flag.slice(2)).sort();
}

describe.each(EXECUTABLES)('%s', (name) => {
  test('has the same flags in --help, in the man page and in the completions', async () => {
    const help = flagsOfHelp((await run(name, ['--help'])).stdout);
    expect(help.size).toBeGreaterThan(5);
    const names = [...help.keys()].sort();
    expect([...flagsOfPage(await manPage(`${name}.8`)).keys()].sort()).toEqual(names);
    for (const file of [`bash/${name}`, `zsh/_${name}`]) {
      const script = readFileSync(path.join(ROOT, 'dist/completions', file), 'utf8');
      expect({ file, flags: flagsOfCompletion(script) }).toEqual({ file, flags: names });
    }
  });

  test('has the same short forms and defaults in --help and in the man page', async () => {
    const help = flagsOfHelp((await run(name, ['--help'])).stdout);
    const page = flagsOfPage(await manPage(`${name}.8`));
    // A default in words may be put in other words, and code with blanks in it is shown as it is.
    const comparable = (flags: Map<string, Documented>): Map<string, unknown> =>
      new Map(
        [...flags].map(([flag, { alias, standard }]) => {
          const inWords = (help.get(flag)?.standard ?? '').includes(' ');
          return [flag, { alias, standard: inWords ? standard !== undefined : standard }];
        }),
      );
    expect(comparable(page)).toEqual(comparable(help));
  });

  test('explains every exit status of --help in the man page', async () => {
    const { stdout } = await run(name, ['--help']);
    const [, listed = ''] = stdout.split(/^Exit status:$/m);
    const statuses = [...listed.matchAll(/^ {2}(\d+) /gm)].map(([, status]) => status);
    expect(statuses.length).toBeGreaterThan(3);
    const explained = section(await manPage(`${name}.8`), 'EXIT STATUS');
    for (const status of statuses) {
      expect(explained).toMatch(new RegExp(`^ {7}(?:\\d+, )?${status ?? ''}\\b`, 'm'));
    }
  });

  test('has the sections that a reader looks for', async () => {
    const page = await manPage(`${name}.8`);
    for (const heading of [
      'NAME',
      'SYNOPSIS',
      'DESCRIPTION',
      'OPTIONS',
      'EXIT STATUS',
      'FILES',
      'ENVIRONMENT',
      'SIGNALS',
      'EXAMPLES',
      'SECURITY',
      'SEE ALSO',
    ]) {
      expect({ heading, empty: section(page, heading).trim() === '' }).toEqual({
        heading,
        empty: false,
      });
    }
  });
});

test('the examples of all man pages use only flags that exist', async () => {
  const known = new Map(
    await Promise.all(
      EXECUTABLES.map(async (name) => {
        const { stdout } = await run(name, ['--help']);
        return [name, [...flagsOfHelp(stdout).keys()]] as const;
      }),
    ),
  );
  const used = readdirSync(path.join(ROOT, 'dist/man')).flatMap((page) => {
    const text = readFileSync(path.join(ROOT, 'man', `${page}.md`), 'utf8');
    return [...text.matchAll(/^ {4}(?:.*\/)?(\S+)(?=[^\n]* --[a-z])(.*)$/gm)].map(
      ([line, command = '', rest = '']) => ({ line, command, rest: rest.split(' -- ')[0] ?? '' }),
    );
  });
  const ours = used.filter(({ command }) => known.has(command));
  expect(ours.length).toBeGreaterThan(5);
  for (const { line, command, rest } of ours) {
    for (const [, flag = ''] of rest.matchAll(/ --([a-z][\w-]*)/g)) {
      expect({ line, flag, exists: known.get(command)?.includes(flag) }).toEqual({
        line,
        flag,
        exists: true,
      });
    }
  }
});

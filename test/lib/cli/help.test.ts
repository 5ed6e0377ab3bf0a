import { describe, expect, test } from 'vitest';
import { describeExitStatuses, renderHelp, type HelpSubject } from '../../../src/lib/cli/help.ts';
import { exampleSubject } from '../../support/example-subject.ts';

/** Lines of a group, without its heading. */
function group(text: string, heading: string): string[] {
  const lines = text.split('\n');
  const from = lines.indexOf(heading) + 1;
  return lines.slice(from, lines.indexOf('', from));
}

describe('help', () => {
  test('begins with the synopsis and what the program does', async () => {
    const text = await renderHelp({ ...exampleSubject, synopsis: 'INSTANCE...' }, 80);
    expect(text.split('\n').slice(0, 3)).toEqual([
      'Usage: sample-probe [options] INSTANCE...',
      '',
      'Asks a sample daemon whether it works.',
    ]);
  });

  test('shows aliases, metavars, defaults and how often an option is given', async () => {
    const text = await renderHelp(exampleSubject, 100);
    expect(group(text, 'Service address:')).toEqual([
      '  -a, --address ADDR     service address to advertise while the service is up [repeatable]',
      '      --interface IFACE  interface that carries it [default: lo]',
    ]);
    expect(group(text, 'State:')).toEqual([
      '      --state-dir DIR  folder of the state [default: /run/anycast-ha]',
      "  -i, --instance NAME  name [of the instance] [default: the configuration file's name]",
    ]);
  });

  test('shows choices once: in the metavar, or behind the description', async () => {
    const text = await renderHelp(exampleSubject, 120);
    expect(group(text, 'Probe:').slice(0, 2)).toEqual([
      '      --mode status|auth   what to ask [default: status]',
      "      --require-flag ra,…  header flags that an answer must have; the resolver's own are enough [of ra, ad, aa]",
    ]);
  });

  test('keeps the order of the table, with the general options last', async () => {
    const text = await renderHelp(exampleSubject, 80);
    const headings = text.split('\n').filter((line) => /^[A-Z].*:$/.test(line));
    expect(headings).toEqual([
      'Probe:',
      'Service address:',
      'State:',
      'General:',
      'Examples:',
      'Exit status:',
    ]);
  });

  test.each([40, 60, 80, 132])('is never wider than %i columns', async (width) => {
    const text = await renderHelp(exampleSubject, width);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(width);
    for (const name of Object.keys(exampleSubject.table)) expect(text).toContain(`--${name}`);
  });

  test('indents what is wrapped to the column of the descriptions', async () => {
    const text = await renderHelp(exampleSubject, 60);
    const [first = '', second = ''] = group(text, 'Probe:').slice(1);
    expect(second).toMatch(/^ +have/);
    expect(second.search(/\S/)).toBe(first.indexOf('header flags'));
  });

  test('keeps the command line of an example in one piece, its meaning below', async () => {
    const command = `sample-probe ${'--address 192.0.2.1 '.repeat(3)}--mode status`;
    const subject = {
      ...exampleSubject,
      examples: [{ command, meaning: 'in words '.repeat(12).trim() }],
    };
    const [line, ...meaning] = group(await renderHelp(subject, 90), 'Examples:');
    expect(line).toBe(`  ${command}`);
    expect(meaning).toHaveLength(2);
    for (const part of meaning) expect(part).toMatch(/^ {6}\S/);
  });

  test('says nothing of types, and leaves no blanks at the ends of lines', async () => {
    const text = await renderHelp(exampleSubject, 80);
    expect(text).not.toMatch(/\[(?:string|boolean|array|number)\]/);
    expect(text).not.toMatch(/[ \t]$/m);
  });

  test('ends with the exit statuses of a probe, or with what the program says instead', async () => {
    const statuses = (await renderHelp(exampleSubject, 80)).split('Exit status:\n')[1] ?? '';
    expect(statuses.split('\n')).toHaveLength(10);
    expect(statuses).toContain('  69  unknown: the probe could not tell\n');

    const own: HelpSubject = {
      ...exampleSubject,
      epilogue: describeExitStatuses([
        [0, 'resumed'],
        [66, 'no such instance'],
      ]),
    };
    expect((await renderHelp(own, 80)).split('\n').slice(-3)).toEqual([
      'Exit status:',
      '  0   resumed',
      '  66  no such instance',
    ]);
  });

  test('is the same in every locale', async () => {
    const before = process.env['LC_ALL'];
    process.env['LC_ALL'] = 'de_DE.UTF-8';
    try {
      expect(await renderHelp(exampleSubject, 80)).toContain('\nExamples:\n');
    } finally {
      if (before === undefined) delete process.env['LC_ALL'];
      else process.env['LC_ALL'] = before;
    }
  });
});

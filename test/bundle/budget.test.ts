import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { executablePath, ROOT } from '../support/executable.ts';

const EXECUTABLES = readdirSync(path.join(ROOT, 'src/bin')).map((file) => path.parse(file).name);

/** What Node reads at each start. ha-suspend, which runs a user's command by execa, is no pass. */
const BUDGET_KB = 450;
const BUDGET_OF_SUSPEND_KB = 575;

describe.each(EXECUTABLES)('%s', (name) => {
  const text = readFileSync(executablePath(name), 'utf8');

  test('is no larger than its budget', () => {
    const budget = name === 'ha-suspend' ? BUDGET_OF_SUSPEND_KB : BUDGET_KB;
    expect(text.length / 1000).toBeLessThanOrEqual(budget);
  });

  test('can be read from top to bottom: lines and names of the source, and no code in texts', () => {
    const lines = text.split('\n');
    expect(lines[0]).toBe('#!/usr/bin/env -S -u NODE_OPTIONS node');
    const long = lines.filter((line) => line.length > 1000);
    // Tables of data, such as the dictionaries of RADIUS.
    expect(
      long.filter((line) => /=>|function|=(?!=)\s/.test(line.replace(/"[^"]*"/g, ''))),
    ).toEqual([]);
    expect(text).toContain('async function runMain(');
    const hidden =
      /\bnew Function\(|\beval\(|\bnode:vm\b|\bvm\.|createCachedData|[bB]rotli|inflate/;
    expect(hidden.exec(text)?.[0]).toBeUndefined();
    expect(/[A-Za-z0-9+/]{400}/.exec(text)?.[0]).toBeUndefined(); // base64
  });

  test('has the text of its help, and nothing of what wrote it', () => {
    expect(text).toContain(`Usage: ${name} [options]`);
    expect(text).not.toContain('cliui');
  });
});

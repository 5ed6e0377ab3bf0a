import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { executablePath, ROOT } from '../support/executable.ts';

const EXECUTABLES = readdirSync(path.join(ROOT, 'src/bin')).map((file) => path.parse(file).name);

/** What Node reads at each start. */
const BUDGET_KB = 450;
const LARGER_KB: Readonly<Record<string, number>> = {
  'dns-probe': 475, // what asks over TLS and HTTPS is read, and run only when asked for
  'ha-suspend': 575, // runs a user's command by execa, and is no pass
};

describe.each(EXECUTABLES)('%s', (name) => {
  const text = readFileSync(executablePath(name), 'utf8');

  test('is no larger than its budget', () => {
    expect(text.length / 1000).toBeLessThanOrEqual(LARGER_KB[name] ?? BUDGET_KB);
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

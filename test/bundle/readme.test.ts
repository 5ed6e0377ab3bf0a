import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../support/executable.ts';

const readme = readFileSync(path.join(ROOT, 'README.md'), 'utf8');

test('its first two commands are the demo and the check', () => {
  const [, block = ''] = /```sh\n([^]*?)```/.exec(readme) ?? [];
  const commands = block.split('\n').map((line) => line.split(/\s/)[0]);
  expect(commands.filter((command) => command !== '')).toEqual(['scripts/demo', 'scripts/check']);
});

test('it names every executable', () => {
  for (const file of readdirSync(path.join(ROOT, 'src/bin'))) {
    expect(readme).toContain(`\`${path.parse(file).name}\``);
  }
});

test('its links lead somewhere', () => {
  const links = [...readme.matchAll(/\]\(([^)#]+)\)/g)].map(([, link = '']) => link);
  expect(links.length).toBeGreaterThan(5);
  for (const link of links) {
    expect({ link, exists: existsSync(path.join(ROOT, link)) }).toEqual({ link, exists: true });
  }
});

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../support/executable.ts';

interface Manifest {
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies?: unknown;
  readonly optionalDependencies?: unknown;
  readonly peerDependencies?: unknown;
}

const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as Manifest;

test('the package brings no other package along, and runs nothing when it is installed', () => {
  expect(manifest.dependencies).toBeUndefined();
  expect(manifest.optionalDependencies).toBeUndefined();
  expect(manifest.peerDependencies).toBeUndefined();
  for (const name of ['preinstall', 'install', 'postinstall', 'preuninstall', 'postuninstall']) {
    expect(Object.keys(manifest.scripts)).not.toContain(name);
  }
});

test('every package in the executables has its licence listed', () => {
  const licences = readFileSync(path.join(ROOT, 'dist/LICENSES.txt'), 'utf8');
  for (const name of ['dns-packet', 'radius', 'execa', 'valibot', 'smol-toml', 'yargs']) {
    expect(licences).toContain(`== ${name}\n`);
  }
});

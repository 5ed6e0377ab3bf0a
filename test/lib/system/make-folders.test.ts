import { mkdirSync, rmdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeFolders } from '../../../src/lib/system/make-folders.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../support/temporary-folder.ts';

const base = createTemporaryFolder();

afterAll(() => {
  removeTemporaryFolder(base);
});

test('a folder is made with its parents', () => {
  const folder = path.join(base, 'one', 'two', 'three');
  makeFolders(folder, 0o755);
  makeFolders(folder, 0o755);
  expect(statSync(folder).mode & 0o777).toBe(0o755);
});

test('what is there stays, whatever it is', () => {
  const file = path.join(base, 'file');
  writeFileSync(file, '');
  makeFolders(file, 0o755);
  expect(statSync(file).isFile()).toBe(true);
});

test('a folder that cannot be made ends in an error, and not in a loop', () => {
  const file = path.join(base, 'another-file');
  writeFileSync(file, '');
  const link = path.join(base, 'link');
  symlinkSync('/nonexistent', link);
  for (const wrong of ['/proc/x', '/proc/x/y', path.join(file, 'x'), path.join(link, 'x')]) {
    expect(() => {
      makeFolders(wrong, 0o755);
    }).toThrow(/ENOENT|ENOTDIR/);
  }
});

test('so does one below a working directory that was removed', () => {
  const gone = path.join(base, 'gone');
  const before = process.cwd();
  mkdirSync(gone);
  process.chdir(gone);
  try {
    rmdirSync(gone);
    expect(() => {
      makeFolders('x/y', 0o755);
    }).toThrow('ENOENT');
  } finally {
    process.chdir(before);
  }
});

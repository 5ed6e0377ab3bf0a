import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readBounded } from '../../../src/lib/system/read-file.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../support/temporary-folder.ts';

const folder = createTemporaryFolder();
const file = path.join(folder, 'file');
writeFileSync(file, 'grüße\n');

afterAll(() => {
  removeTemporaryFolder(folder);
});

test('a small file is read as it is', () => {
  expect(readBounded(file, 100)).toBe('grüße\n');
  const empty = path.join(folder, 'empty');
  writeFileSync(empty, '');
  expect(readBounded(empty, 0)).toBe('');
});

test('a file may be as long as the limit, and no longer', () => {
  expect(readBounded(file, 8)).toBe('grüße\n');
  expect(() => readBounded(file, 7)).toThrow(RangeError);
  expect(() => readBounded(file, 7)).toThrow('longer than 7 bytes');
});

test('a link is not followed', () => {
  const link = path.join(folder, 'link');
  symlinkSync('file', link);
  expect(() => readBounded(link, 100)).toThrow('ELOOP');
});

test('a FIFO without a writer is not waited for', () => {
  const fifo = path.join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  expect(() => readBounded(fifo, 100)).toThrow('no regular file');
});

test('neither a folder nor a device is read', () => {
  const other = path.join(folder, 'folder');
  mkdirSync(other);
  expect(() => readBounded(other, 100)).toThrow('no regular file');
  expect(() => readBounded('/dev/zero', 100)).toThrow('no regular file');
});

test('a file that is missing is the system error', () => {
  expect(() => readBounded(path.join(folder, 'missing'), 100)).toThrow('ENOENT');
});

test('reading leaves no file open', () => {
  // Those of this file alone: the test runner opens and closes others meanwhile.
  const list = 'ls -l /proc/$PPID/fd | grep -c " -> $1$" || true';
  const open = (): number => Number(execFileSync('sh', ['-c', list, 'sh', file]));
  const before = open();
  for (let count = 0; count < 50; count++) {
    readBounded(file, 100);
    expect(() => readBounded(file, 1)).toThrow(RangeError);
  }
  expect(open()).toBe(before);
});

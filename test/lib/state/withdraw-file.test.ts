import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  addWithdrawLines,
  dropFromWithdrawFile,
  readWithdrawLines,
  replaceWithdrawLines,
} from '../../../src/lib/state/withdraw-file.ts';
import { StateError } from '../../../src/lib/system/errors.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../support/temporary-folder.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = createTemporaryFolder();
  file = path.join(folder, 'sample.withdraw');
});
afterEach(() => {
  removeTemporaryFolder(folder);
});

const text = (): string => readFileSync(file, 'utf8');
const ONE = 'addr del 192.0.2.1/32 dev lo';
const TEN = 'addr del 192.0.2.10/32 dev lo';

describe('the file that takes an instance out', () => {
  test('has a line for each change, and nothing where there is none', () => {
    replaceWithdrawLines(file, [ONE, TEN, ONE]);
    expect(text()).toBe(`${ONE}\n${TEN}\n`);
    expect(readWithdrawLines(file)).toEqual([ONE, TEN]);
    replaceWithdrawLines(file, []);
    expect(text()).toBe('');
  });

  test('is there, though empty, as soon as something asks for it', () => {
    expect(readWithdrawLines(file)).toBeUndefined();
    addWithdrawLines(file, []);
    expect(text()).toBe('');
  });

  test('is not written where it says so already', () => {
    replaceWithdrawLines(file, [ONE]);
    const { ino } = statSync(file);
    replaceWithdrawLines(file, [ONE]);
    addWithdrawLines(file, [ONE]);
    dropFromWithdrawFile(file, ['192.0.2.99']);
    expect(statSync(file).ino).toBe(ino);
  });

  test('is replaced as a whole, and everybody may read it', () => {
    replaceWithdrawLines(file, [ONE]);
    const { ino } = statSync(file);
    addWithdrawLines(file, [TEN]);
    expect(statSync(file).ino).not.toBe(ino);
    expect(statSync(file).mode & 0o777).toBe(0o644);
  });

  test('loses all that is about an address, and nothing of one that begins alike', () => {
    const drain = 'route del local 192.0.2.1 dev lo table local proto 120 metric 1';
    replaceWithdrawLines(file, [ONE, TEN, drain]);
    dropFromWithdrawFile(file, ['192.0.2.1']);
    expect(text()).toBe(`${TEN}\n`);
  });

  test('is not made for an instance that has none', () => {
    dropFromWithdrawFile(file, ['192.0.2.1']);
    expect(existsSync(file)).toBe(false);
  });

  test('that cannot be read says nothing, and is written anew', () => {
    writeFileSync(file, Buffer.alloc(1024 * 1024 + 1, '\n'));
    expect(readWithdrawLines(file)).toBeUndefined();
    addWithdrawLines(file, [ONE]);
    expect(text()).toBe(`${ONE}\n`);
  });

  test('that cannot be written is a fault of the state', () => {
    mkdirSync(file);
    expect(() => {
      replaceWithdrawLines(file, [ONE]);
    }).toThrow(StateError);
  });
});

import { chmodSync, chownSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { checkFolder, instancePaths, prepareFolder } from '../../../src/lib/state/state-folder.ts';
import { PermissionError, StateError } from '../../../src/lib/system/errors.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../support/temporary-folder.ts';

const base = createTemporaryFolder();
const uid = process.getuid?.() ?? 0;
let folders = 0;

afterAll(() => {
  removeTemporaryFolder(base);
});

function newPath(): string {
  return path.join(base, `folder-${(folders += 1)}`);
}

function newFolder(mode = 0o755): string {
  const folder = newPath();
  mkdirSync(folder);
  chmodSync(folder, mode);
  return folder;
}

test('the files of an instance are named after it', () => {
  expect(instancePaths('/run/anycast-ha', 'dns-probe')).toEqual({
    state: '/run/anycast-ha/dns-probe.json',
    withdraw: '/run/anycast-ha/dns-probe.withdraw',
    ended: '/run/anycast-ha/dns-probe.ended',
    lock: '/run/anycast-ha/dns-probe.lock',
    command: '/run/anycast-ha/dns-probe.command',
    claims: '/run/anycast-ha/claims',
    suspensions: '/run/anycast-ha/suspensions',
  });
});

describe('a folder', () => {
  test('is made with its parents when it is missing', () => {
    const folder = path.join(newPath(), 'deep');
    prepareFolder(folder, uid);
    expect(statSync(folder).mode & 0o777).toBe(0o755);
  });

  test('is only looked at by those who read', () => {
    const folder = newPath();
    expect(checkFolder(folder, uid)).toBe(false);
    expect(checkFolder(newFolder(), uid)).toBe(true);
    expect(() => statSync(folder)).toThrow('ENOENT');
  });

  test.each([0o755, 0o700, 0o750])('of mode %o is trusted', (mode) => {
    expect(checkFolder(newFolder(mode), uid)).toBe(true);
  });

  test.each([0o775, 0o757, 0o777, 0o1777])('of mode %o is refused: others can write', (mode) => {
    const folder = newFolder(mode);
    expect(() => {
      prepareFolder(folder, uid);
    }).toThrow(PermissionError);
    expect(() => checkFolder(folder, uid)).toThrow('can be written by others');
  });

  test('of another user is refused, but root is trusted by everybody', () => {
    const folder = newFolder();
    chownSync(folder, 65_534, 65_534);
    expect(() => checkFolder(folder, uid)).toThrow('belongs to user 65534');
    expect(checkFolder(folder, 65_534)).toBe(true);
    expect(checkFolder(newFolder(), 65_534)).toBe(true);
  });

  test('must be one, and no link to one', () => {
    const link = newPath();
    symlinkSync(newFolder(), link);
    const dangling = newPath();
    symlinkSync('/nonexistent', dangling);
    const file = newPath();
    writeFileSync(file, '');
    for (const wrong of [link, dangling, file]) {
      expect(() => {
        prepareFolder(wrong, uid);
      }).toThrow(PermissionError);
    }
  });

  test('that cannot be made is an error of the state', () => {
    const file = newPath();
    writeFileSync(file, '');
    expect(() => {
      prepareFolder(path.join(file, 'state'), uid);
    }).toThrow(StateError);
    expect(() => {
      prepareFolder('/proc/anycast-ha', uid);
    }).toThrow(StateError);
  });
});

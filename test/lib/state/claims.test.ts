import { mkdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  claim,
  claimedAddresses,
  claimOwner,
  releaseClaim,
} from '../../../src/lib/state/claims.ts';
import { StateError } from '../../../src/lib/system/errors.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../support/temporary-folder.ts';

const base = createTemporaryFolder();
let folders = 0;

afterAll(() => {
  removeTemporaryFolder(base);
});

/** A folder that does not exist yet, as on the first pass of a node. */
function newFolder(): string {
  return path.join(base, `claims-${(folders += 1)}`);
}

const A = '198.51.100.1';
const B = '2001:db8::1';

describe('an address', () => {
  test('belongs to nobody before it is claimed', () => {
    expect(claimOwner(newFolder(), A)).toBeUndefined();
  });

  test('belongs to whoever claims it first', () => {
    const folder = newFolder();
    expect(claim(folder, A, 'one')).toBe('one');
    expect(claim(folder, A, 'two')).toBe('one');
    expect(claim(folder, A, 'one')).toBe('one');
    expect(claimOwner(folder, A)).toBe('one');
    expect(readlinkSync(path.join(folder, A))).toBe('one');
  });

  test('is given up by its owner only', () => {
    const folder = newFolder();
    claim(folder, A, 'one');
    releaseClaim(folder, A, 'two');
    expect(claimOwner(folder, A)).toBe('one');
    releaseClaim(folder, A, 'one');
    expect(claimOwner(folder, A)).toBeUndefined();
    releaseClaim(folder, A, 'one');
    expect(claim(folder, A, 'two')).toBe('two');
  });
});

test('the addresses of an instance are those it claimed', () => {
  const folder = newFolder();
  expect(claimedAddresses(folder, 'one')).toEqual([]);
  claim(folder, A, 'one');
  claim(folder, B, 'one');
  claim(folder, '198.51.100.2', 'two');
  expect([...claimedAddresses(folder, 'one')].sort()).toEqual([A, B]);
});

describe('what cannot be read or written is an error of the state', () => {
  test('a file in the place of the folder', () => {
    const folder = newFolder();
    writeFileSync(folder, '');
    expect(() => claim(folder, A, 'one')).toThrow(StateError);
    expect(() => claimedAddresses(folder, 'one')).toThrow(StateError);
    expect(claimOwner(folder, A)).toBeUndefined();
  });

  test('a parent that does not exist', () => {
    expect(() => claim(path.join(newFolder(), 'claims'), A, 'one')).toThrow(StateError);
  });

  test('something else in the place of a claim', () => {
    const folder = newFolder();
    mkdirSync(path.join(folder, A), { recursive: true });
    expect(() => claimOwner(folder, A)).toThrow(StateError);
    expect(() => claim(folder, A, 'one')).toThrow(StateError);
  });

  test('a link in the place of the folder that leads nowhere', () => {
    const folder = newFolder();
    symlinkSync('/nonexistent', folder);
    expect(() => claim(folder, A, 'one')).toThrow(StateError);
  });
});

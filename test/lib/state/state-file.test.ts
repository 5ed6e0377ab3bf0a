import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { seal } from '../../../src/lib/state/sealed-text.ts';
import { openStateWriter, readState } from '../../../src/lib/state/state-file.ts';
import { StateError } from '../../../src/lib/system/errors.ts';
import { exampleState, moment } from '../../support/example-state.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../support/temporary-folder.ts';

const folder = createTemporaryFolder();
let files = 0;

afterAll(() => {
  removeTemporaryFolder(folder);
});

function newPath(): string {
  const own = path.join(folder, `folder-${(files += 1)}`);
  mkdirSync(own);
  return path.join(own, 'sample.json');
}

function written(state = exampleState()): string {
  const file = newPath();
  openStateWriter(file, 160).write(state);
  return file;
}

describe('reading', () => {
  test('gives the state back', () => {
    expect(readState(written(), moment())).toEqual({ kind: 'valid', state: exampleState() });
  });

  // Written by the executables of that release, and never changed since: upgrades read such a file.
  test('understands what the first release wrote', () => {
    const file = path.join(import.meta.dirname, 'fixtures/0.1.0/recursive.json');
    const then = moment(2_692_000, 'ac44a9dc-95d5-4757-86b4-4390047d4960');
    expect(readState(file, then)).toMatchObject({
      kind: 'valid',
      state: {
        instance: 'recursive',
        places: [{ address: '192.0.2.1', interface: 'lo' }],
        health: { status: 'up', successes: 1, changedAtMs: 2_690_840 },
        advertising: true,
        transitions: 1,
        leaseMs: 300_000,
        lastPass: { status: 'up', detail: 'true: exit 0' },
      },
    });
  });

  test('finds nothing where there is nothing', () => {
    expect(readState(newPath(), moment())).toEqual({
      kind: 'gap',
      gap: 'missing',
      stale: undefined,
    });
  });

  test('does not follow a link, wait for a FIFO or read a folder or a giant', () => {
    const paths = [newPath(), newPath(), newPath(), newPath()] as const;
    symlinkSync(written(), paths[0]);
    execFileSync('mkfifo', [paths[1]]);
    mkdirSync(paths[2]);
    writeFileSync(paths[3], Buffer.alloc(1024 * 1024 + 1, ' '));
    for (const file of paths) {
      expect(readState(file, moment())).toMatchObject({ kind: 'gap', gap: 'unreadable' });
    }
  });

  test('keeps what another boot left apart from what is valid', () => {
    const reading = readState(written(), moment(1_000_000, 'another-boot'));
    expect(reading).toEqual({ kind: 'gap', gap: 'other-boot', stale: exampleState() });
  });

  const ages: readonly (readonly [
    what: string,
    nowMs: number,
    leaseMs: number | null,
    kind: string,
  ])[] = [
    ['as old as its lease is valid', 1_298_000, 300_000, 'valid'],
    ['older than its lease is void', 1_298_010, 300_000, 'gap'],
    ['without a lease is valid at any age', 9_000_000_000, null, 'valid'],
    ['from the future is void', 997_990, 300_000, 'gap'],
    ['from the future is void also without a lease', 997_990, null, 'gap'],
  ];

  test.each(ages)('a state %s', (_, nowMs, leaseMs, kind) => {
    const reading = readState(written(exampleState({ leaseMs })), moment(nowMs));
    expect(reading.kind).toBe(kind);
    if (reading.kind === 'gap') expect(reading.gap).toBe('expired');
  });

  test('a state that no pass wrote yet has no age', () => {
    const state = exampleState({ lastPass: null });
    expect(readState(written(state), moment(0))).toEqual({ kind: 'valid', state });
  });
});

describe('writing', () => {
  test('replaces the file as a whole and leaves nothing beside it', () => {
    const file = written();
    const writer = openStateWriter(file, 160);
    expect(readState(file, moment()).kind).toBe('valid');
    writer.write(exampleState({ transitions: 7 }));
    writer.discard();
    expect(readState(file, moment())).toMatchObject({ state: { transitions: 7 } });
    expect(readdirSync(path.dirname(file))).toEqual(['sample.json']);
  });

  test('can be given up: the former state stays', () => {
    const file = written();
    openStateWriter(file, 160).discard();
    expect(readState(file, moment())).toEqual({ kind: 'valid', state: exampleState() });
    expect(readdirSync(path.dirname(file))).toEqual(['sample.json']);
  });

  test('can be done twice', () => {
    const file = newPath();
    const writer = openStateWriter(file, 160);
    writer.write(exampleState());
    writer.write(exampleState({ transitions: 8 }));
    expect(readState(file, moment())).toMatchObject({ state: { transitions: 8 } });
  });

  test('takes away what a killed pass left behind', () => {
    const file = newPath();
    writeFileSync(`${file}.tmp`, 'half a sta');
    openStateWriter(file, 160).write(exampleState());
    expect(readdirSync(path.dirname(file))).toEqual(['sample.json']);
  });

  test('takes more than was expected', () => {
    const places = Array.from({ length: 200 }, (_, index) => ({
      address: `198.51.100.${index}`,
      interface: 'lo',
    }));
    const file = newPath();
    openStateWriter(file, 0).write(exampleState({ places }));
    expect(readState(file, moment())).toMatchObject({ state: { places } });
  });

  test('makes a file that everybody may read, in one line', () => {
    const file = written();
    expect(statSync(file).mode & 0o777).toBe(0o644);
    expect(readFileSync(file, 'utf8')).toBe(`${seal(JSON.stringify(exampleState()))}\n`);
  });

  test('that is not possible is an error of the state, before anything is done', () => {
    expect(() => openStateWriter(path.join(folder, 'missing', 'x.json'), 0)).toThrow(StateError);
    const file = newPath();
    mkdirSync(file);
    expect(() => openStateWriter(file, 0)).toThrow('a folder stands in its place');
  });
});

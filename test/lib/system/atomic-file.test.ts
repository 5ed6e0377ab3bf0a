import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { afterAll, describe, expect, test } from 'vitest';
import {
  removeIfPresent,
  reserveFile,
  writeFileAtomically,
} from '../../../src/lib/system/atomic-file.ts';
import { runCommand } from '../../support/child.ts';
import { ROOT } from '../../support/executable.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../support/temporary-folder.ts';

const folder = createTemporaryFolder();
let folders = 0;

afterAll(() => {
  removeTemporaryFolder(folder);
});

function newPath(content?: string): string {
  const own = path.join(folder, `folder-${(folders += 1)}`);
  mkdirSync(own);
  const file = path.join(own, 'file');
  if (content !== undefined) writeFileSync(file, content);
  return file;
}

describe('a replacement', () => {
  test('is not seen before it is committed, and then as a whole', () => {
    const file = newPath('old');
    const replacement = reserveFile(file, 0o600, 10);
    expect(readFileSync(file, 'utf8')).toBe('old');
    replacement.commit('new §');
    expect(readFileSync(file, 'utf8')).toBe('new §');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    replacement.discard();
    expect(readdirSync(path.dirname(file))).toEqual(['file']);
  });

  test('that is given up leaves the old file as it was', () => {
    const file = newPath('old');
    const replacement = reserveFile(file, 0o644, 10);
    replacement.discard();
    replacement.discard();
    expect(readFileSync(file, 'utf8')).toBe('old');
    expect(readdirSync(path.dirname(file))).toEqual(['file']);
  });

  test('takes any length', () => {
    for (const length of [0, 1, 4096, 100_000]) {
      const file = newPath();
      reserveFile(file, 0o644, 100).commit('x'.repeat(length));
      expect(statSync(file).size).toBe(length);
    }
  });

  test('does not write through a link that stands in its way', () => {
    const victim = newPath('victim');
    const file = newPath();
    symlinkSync(victim, `${file}.tmp`);
    reserveFile(file, 0o644, 10).commit('new');
    expect(readFileSync(victim, 'utf8')).toBe('victim');
    expect(readFileSync(file, 'utf8')).toBe('new');
  });

  test('that cannot take its place leaves nothing behind', () => {
    const file = newPath();
    mkdirSync(file);
    expect(() => {
      reserveFile(file, 0o644, 10).commit('new');
    }).toThrow('EISDIR');
    expect(readdirSync(path.dirname(file))).toEqual(['file']);
  });
});

test('writers that share no lock do not disturb each other', () => {
  const file = newPath();
  const first = reserveFile(file, 0o644, 0, '.1.tmp');
  writeFileAtomically(file, 0o644, 'second');
  first.commit('first');
  expect(readFileSync(file, 'utf8')).toBe('first');
  expect(readdirSync(path.dirname(file))).toEqual(['file']);
});

test('what a writer that was killed left behind is taken away by the next, that of others is not', async () => {
  const own = path.join(folder, 'remains');
  mkdirSync(own);
  const file = path.join(own, 'file');
  const { stdout } = await runCommand('/bin/sh', ['-c', 'echo $$']);
  const kept = [`file.${process.pid}.aabbccddeeff.tmp`, 'file.1.aabbccddeeff.tmp', 'file.bak.tmp'];
  const gone = `file.${stdout.trim()}.aabbccddeeff.tmp`;
  for (const name of [...kept, gone]) writeFileSync(path.join(own, name), '');
  writeFileAtomically(file, 0o644, 'content');
  expect(readdirSync(own).sort()).toEqual([...kept, 'file'].sort());
});

test('a file may be removed that is not there', () => {
  const file = newPath('old');
  removeIfPresent(file);
  removeIfPresent(file);
  expect(readdirSync(path.dirname(file))).toEqual([]);
  expect(() => {
    removeIfPresent(path.dirname(file));
  }).toThrow();
});

/** Fills a disk of 64 KiB and reports what can be done on it, as JSON. */
const FULL_DISK = `
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { reserveFile } from '${ROOT}/src/lib/system/atomic-file.ts';
const [folder = ''] = process.argv.slice(2);
const file = folder + '/state';
const fill = (): void => {
  try {
    writeFileSync(folder + '/ballast', Buffer.alloc(1024 * 1024));
  } catch {
    // As full as it gets.
  }
};
const attempt = (action: () => void): string => {
  try {
    action();
    return 'fine';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
};
writeFileSync(file, 'old');
const reserved = reserveFile(file, 0o644, 6000);
fill();
const results = {
  reserveWhenFull: attempt(() => { reserveFile(file, 0o644, 6000, '.other'); }),
  commitWhenFull: attempt(() => { reserved.commit('n'.repeat(8000)); }),
  content: readFileSync(file, 'utf8').length,
  files: [] as string[],
  tooMuch: '',
  kept: 0,
};
rmSync(folder + '/ballast');
const second = reserveFile(file, 0o644, 0);
fill();
results.tooMuch = attempt(() => { second.commit('x'.repeat(60_000)); });
results.kept = readFileSync(file, 'utf8').length;
rmSync(folder + '/ballast');
results.files = readdirSync(folder);
console.log(JSON.stringify(results));
`;

test('on a disk that fills up, what was reserved can be written, and nothing else is lost', async () => {
  const program = path.join(folder, 'full-disk.cjs');
  const stdin = { contents: FULL_DISK, loader: 'ts', resolveDir: ROOT } as const;
  await build({ stdin, bundle: true, platform: 'node', format: 'cjs', outfile: program });
  const disk = path.join(folder, 'disk');
  mkdirSync(disk);
  // In a mount namespace of its own, which ends with the program.
  const script = 'mount -t tmpfs -o size=64k none "$1" && exec "$2" "$3" "$1"';
  const { stdout, stderr } = await runCommand('unshare', [
    '--mount',
    'sh',
    '-c',
    script,
    'sh',
    disk,
    process.execPath,
    program,
  ]);
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({
    reserveWhenFull: 'ENOSPC',
    commitWhenFull: 'fine',
    content: 8000,
    tooMuch: 'ENOSPC',
    kept: 8000,
    files: ['state'],
  });
});

import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readSecretFile } from '../../../src/lib/options/secret-file.ts';
import { ConfigurationError } from '../../../src/lib/system/errors.ts';
import { runCommand } from '../../support/child.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../support/temporary-folder.ts';

const folder = createTemporaryFolder();
let files = 0;

afterAll(() => {
  removeTemporaryFolder(folder);
});

function fileOf(content: string | Buffer, mode = 0o600): string {
  const file = path.join(folder, `secret-${(files += 1)}`);
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

function read(file: string): string {
  return readSecretFile('--secret-file', file).toString('latin1');
}

describe('a secret file', () => {
  test.each([
    ['without a newline', 'foobar', 'foobar'],
    ['with one newline at its end', 'foobar\n', 'foobar'],
    ['with two newlines, one of which is the secret’s', 'foobar\n\n', 'foobar\n'],
    ['with spaces around, which are the secret’s', ' foo bar ', ' foo bar '],
    ['of bytes that are no text', Buffer.from([0xff, 0x00, 0xfe]), '\u00ff\u0000\u00fe'],
    ['of 1024 bytes', `${'x'.repeat(1024)}\n`, 'x'.repeat(1024)],
  ])('is read %s', (_, content, secret) => {
    expect(read(fileOf(content))).toBe(secret);
  });

  test.each([0o400, 0o600, 0o640, 0o440])('may have mode %o', (mode) => {
    expect(read(fileOf('foobar', mode))).toBe('foobar');
  });

  test.each([0o604, 0o602, 0o644, 0o666, 0o601])('must not have mode %o', (mode) => {
    const file = fileOf('foobar', mode);
    expect(() => read(file)).toThrow(ConfigurationError);
    expect(() => read(file)).toThrow(`--secret-file: ${file} is open to everybody (mode 0`);
  });

  test.each([
    ['empty', ''],
    ['empty but for a newline', '\n'],
    ['longer than 1024 bytes', 'x'.repeat(1025)],
    ['endless', 'x'.repeat(100_000)],
  ])('must not be %s', (_, content) => {
    expect(() => read(fileOf(content))).toThrow(ConfigurationError);
  });

  test('must exist', () => {
    const missing = path.join(folder, 'missing');
    expect(() => read(missing)).toThrow(ConfigurationError);
    expect(() => read(missing)).toThrow('cannot be read (ENOENT)');
  });

  test('must be a regular file: a folder, a device or a FIFO is none', async () => {
    const subfolder = path.join(folder, 'folder');
    mkdirSync(subfolder, { mode: 0o700 });
    const fifo = path.join(folder, 'fifo');
    expect((await runCommand('mkfifo', ['-m', '0600', fifo])).exitCode).toBe(0);
    for (const file of [subfolder, fifo, '/dev/zero']) {
      expect(() => read(file)).toThrow('is no regular file');
    }
  });

  test('may be behind a symbolic link, whose target’s mode counts', () => {
    const [good, bad] = [path.join(folder, 'good'), path.join(folder, 'bad')];
    symlinkSync(fileOf('foobar'), good);
    symlinkSync(fileOf('foobar', 0o644), bad);
    expect(read(good)).toBe('foobar');
    expect(() => read(bad)).toThrow('open to everybody');
  });

  test('never shows in a message', () => {
    const file = fileOf('s3cret', 0o644);
    expect(() => read(file)).toThrow(/^(?!.*s3cret)/);
  });
});

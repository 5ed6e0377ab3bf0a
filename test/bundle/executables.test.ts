import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCommand } from '../support/child.ts';
import { executablePath, ROOT, run } from '../support/executable.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.ts';

/** Further Node binaries to run the executables with, separated by colons. */
const NODES = [process.execPath, ...(process.env['ANYCAST_HA_TEST_NODES']?.split(':') ?? [])];

const EXECUTABLES = readdirSync(path.join(ROOT, 'src/bin')).map((file) => path.parse(file).name);

const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
};

let folder: string;
beforeEach(() => {
  folder = createTemporaryFolder();
});
afterEach(() => {
  removeTemporaryFolder(folder);
});

test('the package installs every executable', () => {
  expect(manifest.bin).toEqual(
    Object.fromEntries(EXECUTABLES.map((name) => [name, `dist/${name}`])),
  );
});

describe.each(EXECUTABLES)('%s, copied alone to another folder,', (name) => {
  let file: string;
  beforeEach(() => {
    file = path.join(folder, name);
    copyFileSync(executablePath(name), file);
  });

  test.each(NODES)('runs on %s', async (node) => {
    const { exitCode, stdout, stderr } = await run(file, ['--version'], { node, cwd: folder });
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 0,
      stdout: `${name} ${manifest.version}\n`,
      stderr: '',
    });
  });

  test('shows its help, for which it needs no package', async () => {
    const { exitCode, stdout, stderr } = await run(file, ['--help'], { cwd: folder });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^Usage: ${name} \\[options\\]`));
  });

  test.each([
    { near: 'a module package', text: '{"type":"module"}' },
    { near: 'a CommonJS package', text: '{"type":"commonjs"}' },
    { near: 'nonsense that is JSON', text: '{"type":"x","main":[],"exports":7,"version":null}' },
  ])('does not mind $near near it', async ({ text }) => {
    writeFileSync(path.join(folder, 'package.json'), text);
    for (const node of NODES) {
      const { exitCode, stdout, stderr } = await run(file, ['--help'], { node, cwd: folder });
      expect({ node, exitCode, stderr }).toEqual({ node, exitCode: 0, stderr: '' });
      expect(stdout).toContain('--version');
    }
  });

  test('is not changed by NODE_OPTIONS', async () => {
    writeFileSync(path.join(folder, 'evil.cjs'), 'console.log("evil")');
    const env = { NODE_OPTIONS: `--require=${folder}/evil.cjs` };
    const { stdout } = await run(file, ['--version'], { cwd: folder, env });
    expect(stdout).toBe(`${name} ${manifest.version}\n`);
  });

  test('reads no file of ours or of others for --help', async () => {
    mkdirSync(path.join(folder, 'locales'));
    writeFileSync(path.join(folder, 'locales/en.json'), '{"Examples:":"pwned"}');
    writeFileSync(path.join(folder, 'package.json'), '{"yargs":{"boolean-negation":false}}');
    const trace = path.join(folder, 'trace');
    const args = ['-f', '-qq', '-o', trace, '-e', 'trace=open,openat', process.execPath, file];
    const traced = await runCommand('strace', [...args, '--help'], { cwd: folder });
    expect(traced.exitCode).toBe(0);
    const opened = [...readFileSync(trace, 'utf8').matchAll(/open(?:at)?\([^"]*"([^"]+)"/g)]
      .map(([, opened]) => opened ?? '')
      .filter((opened) => !/^\/(?:proc|dev|sys|etc|usr|lib|lib64)\//.test(opened))
      .filter((opened) => opened !== file && !opened.startsWith(path.dirname(process.execPath)));
    // Node itself looks for the type of the package that a file belongs to.
    expect(opened.filter((other) => other !== path.join(folder, 'package.json'))).toEqual([]);
  });

  test('is one file that says how it is started, with lines and names that can be read', () => {
    const text = readFileSync(file, 'latin1');
    expect(text.split('\n', 1)[0]).toBe('#!/usr/bin/env -S -u NODE_OPTIONS node');
    expect(text).toContain('function runMain(');
  });
});

test('a build of the same sources in another folder gives the same bytes', async () => {
  // Within the same file system, so that the packages are linked and not copied.
  const other = path.join(ROOT, 'node_modules/.cache', `tree-${process.pid}`);
  mkdirSync(other, { recursive: true });
  try {
    const trees = ['src', 'scripts', 'man', 'package.json', 'package-lock.json'];
    const copied = await runCommand('cp', ['-a', ...trees, other], { cwd: ROOT });
    expect(copied).toMatchObject({ exitCode: 0, stderr: '' });
    mkdirSync(path.join(other, 'node_modules'));
    const linked = await runCommand(
      'sh',
      ['-c', 'cp -al node_modules/[!.]* "$0/node_modules"', other],
      { cwd: ROOT },
    );
    expect(linked).toMatchObject({ exitCode: 0, stderr: '' });
    const built = await runCommand(process.execPath, [path.join(other, 'scripts/build.mjs')], {
      cwd: folder,
      timeoutMs: 60_000,
    });
    expect(built).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });
    const differing = await runCommand('diff', ['-rq', path.join(other, 'dist'), 'dist'], {
      cwd: ROOT,
    });
    expect(differing).toMatchObject({ exitCode: 0, stdout: '' });
  } finally {
    rmSync(other, { recursive: true, force: true });
  }
}, 120_000);

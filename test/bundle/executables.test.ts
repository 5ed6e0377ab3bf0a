import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCommand } from '../support/child.ts';
import { executablePath, ROOT, run } from '../support/executable.ts';
import { NODES } from '../support/nodes.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.ts';

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
  const other = path.join(folder, 'other');
  mkdirSync(other);
  const trees = ['src', 'scripts', 'package.json', 'tsconfig.json'];
  await must('cp', ['-a', ...trees, other]);
  // Links where the file system is the same one, for it is much; else copies.
  const packages = `cp -al node_modules ${other} || cp -a node_modules ${other}`;
  await must('sh', ['-c', `{ ${packages}; } 2>/dev/null`]);
  const script = `
    import { bundle } from ${JSON.stringify(path.join(other, 'scripts/build/bundle.mjs'))};
    for (const name of ${JSON.stringify(EXECUTABLES)}) {
      await bundle(${JSON.stringify(path.join(other, 'src/bin'))} + '/' + name + '.ts', name);
    }`;
  const args = ['--input-type=module', '-e', script];
  const built = await runCommand(process.execPath, args, { cwd: folder, timeoutMs: 100_000 });
  expect(built).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });
  for (const name of EXECUTABLES) {
    const again = readFileSync(path.join(folder, name));
    expect({ name, same: again.equals(readFileSync(executablePath(name))) }).toEqual({
      name,
      same: true,
    });
  }
}, 150_000);

async function must(program: string, args: readonly string[]): Promise<void> {
  const ran = await runCommand(program, args, { cwd: ROOT, timeoutMs: 100_000 });
  expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
}

import { openSync, closeSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runCommand } from '../../../src/lib/system/command.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../support/temporary-folder.ts';

const folder = createTemporaryFolder();

afterAll(() => {
  removeTemporaryFolder(folder);
});

test('a program gives its status and outputs', async () => {
  const result = await runCommand('sh', ['-c', 'cat; echo err >&2; exit 3'], {
    input: 'in\n',
    timeoutMs: 5000,
  });
  expect(result).toEqual({ exitCode: 3, stdout: 'in', stderr: 'err', failure: undefined });
});

test('a program gets a fixed environment, and no shell is between', async () => {
  const { stdout } = await runCommand('env', [], { timeoutMs: 5000 });
  expect(stdout.split('\n').sort()).toEqual(['LC_ALL=C', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin']);
  const echo = await runCommand('echo', ['$HOME; *'], { timeoutMs: 5000 });
  expect(echo.stdout).toBe('$HOME; *');
});

test('a program may have an open file for its input', async () => {
  const file = path.join(folder, 'input');
  writeFileSync(file, 'from a file');
  const input = openSync(file, 'r');
  try {
    const { stdout } = await runCommand('cat', [], { timeoutMs: 5000, input });
    expect(stdout).toBe('from a file');
  } finally {
    closeSync(input);
  }
});

test.each([
  ['sleep', ['60'], 50, 'sleep did not end within 50 ms'],
  ['sh', ['-c', 'kill -9 $$'], 5000, 'sh was killed by SIGKILL'],
  ['no-such-program', [], 5000, 'no-such-program could not be run (ENOENT)'],
])('what went wrong with %s is told in words', async (file, args, timeoutMs, failure) => {
  const result = await runCommand(file, args, { timeoutMs });
  expect(result).toMatchObject({ exitCode: undefined, failure });
});

import { expect, test } from 'vitest';
import { runCommandLightly } from '../../../src/lib/system/light-command.ts';

test('a program gives its status and outputs, in a fixed environment', async () => {
  const script = 'cat; env; echo err >&2; exit 3';
  const result = await runCommandLightly('sh', ['-c', script], { input: 'in\n', timeoutMs: 5000 });
  expect(result).toMatchObject({ exitCode: 3, stderr: 'err', failure: undefined });
  const lines = result.stdout.split('\n').filter((line) => !line.startsWith('PWD='));
  expect(lines).toEqual(
    expect.arrayContaining(['in', 'LC_ALL=C', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin']) as string[],
  );
  expect(lines.join('\n')).not.toContain('HOME=');
});

test('a program that does not read its input is no failure', async () => {
  const result = await runCommandLightly('true', [], {
    input: 'x'.repeat(1_000_000),
    timeoutMs: 5000,
  });
  expect(result).toEqual({ exitCode: 0, stdout: '', stderr: '', failure: undefined });
});

test.each([
  ['sleep', ['60'], 50, 'sleep did not end in time'],
  ['no-such-program', [], 5000, 'no-such-program could not be run (ENOENT)'],
])('what went wrong with %s is told in words', async (file, args, timeoutMs, failure) => {
  const result = await runCommandLightly(file, args, { timeoutMs });
  expect(result).toMatchObject({ exitCode: undefined, failure });
});

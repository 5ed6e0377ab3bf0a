import { describe, expect, test } from 'vitest';
import { ipBatch } from '../../../src/lib/advertise/ip-batch.ts';
import type { CommandResult, RunCommand } from '../../../src/lib/system/command.ts';

const FINE: CommandResult = { exitCode: 0, stdout: '', stderr: '', failure: undefined };

/** A command that remembers the lines it was given, and ends as told. */
function fakeIp(result: Partial<CommandResult> = {}): { run: RunCommand; batches: string[][] } {
  const batches: string[][] = [];
  const run: RunCommand = (file, args, { input }) => {
    expect([file, ...args]).toEqual(['ip', '-force', '-batch', '-']);
    batches.push(String(input).trimEnd().split('\n'));
    return Promise.resolve({ ...FINE, ...result });
  };
  return { run, batches };
}

test('one process takes all lines, in order', async () => {
  const { run, batches } = fakeIp();
  expect(await ipBatch(run, 0)(['one', 'two'])).toEqual([undefined, undefined]);
  expect(batches).toEqual([['one', 'two']]);
});

test('nothing is run for no line', async () => {
  const { run, batches } = fakeIp();
  expect(await ipBatch(run, 0)([])).toEqual([]);
  expect(await ipBatch(run, 10)([])).toEqual([]);
  expect(batches).toEqual([]);
});

describe('a failure', () => {
  // As iproute2 6.1 prints it.
  const stderr = [
    'RTNETLINK answers: Operation not permitted',
    'Command failed -:2',
    'Error: any valid prefix is expected rather than "x".',
    'Command failed -:3',
  ].join('\n');

  test('belongs to its line, and the others are done', async () => {
    const { run } = fakeIp({ exitCode: 1, stderr });
    expect(await ipBatch(run, 0)(['a', 'b', 'c', 'd'])).toEqual([
      undefined,
      'RTNETLINK answers: Operation not permitted',
      'Error: any valid prefix is expected rather than "x".',
      undefined,
    ]);
  });

  test('without a line is that of all', async () => {
    const { run } = fakeIp({ exitCode: 255, stderr: 'Cannot open netlink socket\n' });
    expect(await ipBatch(run, 0)(['a', 'b'])).toEqual([
      'Cannot open netlink socket',
      'Cannot open netlink socket',
    ]);
  });

  test('without a word names the status', async () => {
    const { run } = fakeIp({ exitCode: 2 });
    expect(await ipBatch(run, 0)(['a'])).toEqual(['ip ended with 2']);
  });

  test('of the process itself is that of the lines it did not judge', async () => {
    const failure = 'ip did not end within 5000 ms';
    const { run } = fakeIp({ exitCode: undefined, failure, stderr: stderr.slice(0, 61) });
    expect(await ipBatch(run, 0)(['a', 'b', 'c'])).toEqual([
      failure,
      'RTNETLINK answers: Operation not permitted',
      failure,
    ]);
  });
});

describe('with a window', () => {
  test('calls within it share a process, and each gets its own results', async () => {
    const stderr = 'no\nCommand failed -:2\nnever\nCommand failed -:3\n';
    const { run, batches } = fakeIp({ exitCode: 1, stderr });
    const batch = ipBatch(run, 5);
    const results = await Promise.all([batch(['a']), batch(['b', 'c']), batch(['d'])]);
    expect(batches).toEqual([['a', 'b', 'c', 'd']]);
    expect(results).toEqual([[undefined], ['no', 'never'], [undefined]]);
  });

  test('a later call opens another', async () => {
    const { run, batches } = fakeIp();
    const batch = ipBatch(run, 5);
    await batch(['a']);
    await batch(['b']);
    expect(batches).toEqual([['a'], ['b']]);
  });

  test('a call while the process runs is not lost', async () => {
    const batches: string[] = [];
    let second: Promise<unknown> | undefined;
    const batch = ipBatch((_, __, { input }) => {
      batches.push(String(input));
      second ??= batch(['b']);
      return Promise.resolve(FINE);
    }, 5);
    await batch(['a']);
    await second;
    expect(batches).toEqual(['a\n', 'b\n']);
  });
});

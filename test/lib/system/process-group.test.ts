import { existsSync, mkdtempSync, readFileSync, rmdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  runInGroup,
  type GroupCommand,
  type GroupOutcome,
} from '../../../src/lib/system/process-group.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../support/temporary-folder.ts';
import { until } from '../../support/until.ts';

const folder = createTemporaryFolder();
let files = 0;

afterAll(() => {
  removeTemporaryFolder(folder);
});

function newFile(): string {
  return path.join(folder, `file-${(files += 1)}`);
}

function shell(script: string, command: Partial<GroupCommand> = {}): Promise<GroupOutcome> {
  return runInGroup({
    file: 'sh',
    args: ['-c', script],
    env: {},
    signal: AbortSignal.timeout(10_000),
    graceMs: 100,
    maxOutputBytes: 1000,
    ...command,
  });
}

/** Whether a process runs; one that is dead and not yet reaped does not. */
function runs(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

async function pidIn(file: string): Promise<number> {
  await until('a pid', () => /^\d+\n/.test(readFileSync(file, 'latin1')));
  return Number(readFileSync(file, 'latin1'));
}

describe('a program that ends by itself', () => {
  test('gives its exit status and both outputs', async () => {
    expect(await shell('echo out; echo err >&2; exit 7')).toEqual({
      ending: { kind: 'exited', exitStatus: 7 },
      stdout: 'out\n',
      stderr: 'err\n',
    });
  });

  test('may be ended by a signal', async () => {
    const { ending } = await shell('kill -USR1 $$');
    expect(ending).toEqual({ kind: 'killed', signal: 'SIGUSR1' });
  });

  test('reads nothing on its stdin', async () => {
    expect((await shell('cat; echo end')).stdout).toBe('end\n');
  });

  test('gets the environment that it is given, and no other', async () => {
    const { stdout } = await shell('', { file: '/usr/bin/env', args: [], env: { ADDED: 'a b' } });
    expect(stdout).toBe('ADDED=a b\n');
  });

  test('reads what it is given', async () => {
    expect((await shell('cat', { input: 'one\ntwo\n' })).stdout).toBe('one\ntwo\n');
    // One that does not read it is no failure.
    expect((await shell('exit 3', { input: 'x'.repeat(1_000_000) })).ending).toEqual({
      kind: 'exited',
      exitStatus: 3,
    });
  });

  test('runs in the root folder, also where our own is gone', async () => {
    const own = process.cwd();
    const gone = mkdtempSync(path.join(folder, 'gone-'));
    process.chdir(gone);
    rmdirSync(gone);
    try {
      expect(() => process.cwd()).toThrow('ENOENT');
      expect(await shell('pwd')).toMatchObject({
        ending: { kind: 'exited', exitStatus: 0 },
        stdout: '/\n',
      });
      const { ending } = await shell('', { file: './program' });
      expect(ending).toEqual({ kind: 'not-started', errno: 'ENOENT' });
    } finally {
      process.chdir(own);
    }
  });

  test('gets its arguments as they are, without a shell', async () => {
    const { stdout } = await shell('', { file: 'printf', args: ['[%s]', '$HOME `x` *', ''] });
    expect(stdout).toBe('[$HOME `x` *][]');
  });

  test('is read to the end and kept to the bound', async () => {
    const { ending, stdout } = await shell('head -c 3000000 /dev/zero | tr "\\0" x');
    expect(ending).toEqual({ kind: 'exited', exitStatus: 0 });
    expect(stdout).toBe('x'.repeat(1000));
  });

  test('is read to the end by a process that hardly gets to run', async () => {
    const stall = setInterval(() => {
      const end = performance.now() + 150;
      while (performance.now() < end);
    }, 1);
    try {
      for (let round = 0; round < 10; round += 1) {
        const script = 'head -c 60000 /dev/zero | tr "\\0" x';
        const { stdout } = await shell(script, { maxOutputBytes: 100_000 });
        expect(stdout.length).toBe(60_000);
      }
    } finally {
      clearInterval(stall);
    }
  });

  test('leaves nothing of its group behind, and waits for no holder of its output', async () => {
    const file = newFile();
    const startedMs = performance.now();
    const { ending, stdout } = await shell(`sleep 60 & echo $! > ${file}; echo said; exit 2`);
    expect(performance.now() - startedMs).toBeLessThan(8000);
    expect(ending).toEqual({ kind: 'exited', exitStatus: 2 });
    expect(stdout).toBe('said\n');
    const pid = await pidIn(file);
    await until('the end of what was left', () => !runs(pid));
  });

  test('is not waited for by way of one that has left its group', async () => {
    const file = newFile();
    const startedMs = performance.now();
    const { ending } = await shell(`setsid sh -c 'echo $$ > ${file}; exec sleep 15' & sleep 0.2`);
    expect(performance.now() - startedMs).toBeLessThan(8000);
    expect(ending).toEqual({ kind: 'exited', exitStatus: 0 });
    process.kill(await pidIn(file), 'SIGKILL');
  });
});

describe('a program whose time is over', () => {
  test('gets SIGTERM first', async () => {
    const file = newFile();
    const { ending, stdout } = await shell(
      `trap 'echo bye > ${file}; exit 0' TERM; echo hello; while :; do sleep 0.01; done`,
      { signal: AbortSignal.timeout(300), graceMs: 5000 },
    );
    expect(ending).toEqual({ kind: 'out-of-time' });
    expect(stdout).toBe('hello\n');
    expect(existsSync(file)).toBe(true);
  });

  test('gets SIGKILL when that does not help, with its children that ignore it too', async () => {
    const file = newFile();
    const startedMs = performance.now();
    const { ending } = await shell(
      `trap '' TERM; sh -c 'echo $$ > ${file}; while :; do sleep 1; done' & wait; sleep 60`,
      { signal: AbortSignal.timeout(300) },
    );
    expect(performance.now() - startedMs).toBeLessThan(8000);
    expect(ending).toEqual({ kind: 'out-of-time' });
    const pid = await pidIn(file);
    await until('the end of the grandchild', () => !runs(pid));
  });

  test('may be stopped and still ends', async () => {
    const file = newFile();
    const { ending } = await shell(`echo $$ > ${file}; kill -STOP $$`, {
      signal: AbortSignal.timeout(300),
    });
    expect(ending).toEqual({ kind: 'out-of-time' });
    const pid = await pidIn(file);
    await until('its end', () => !runs(pid));
  });

  test('is not started when it was over before', async () => {
    const file = newFile();
    const outcome = await shell(`touch ${file}`, { signal: AbortSignal.abort() });
    expect(outcome.ending).toEqual({ kind: 'out-of-time' });
    expect(existsSync(file)).toBe(false);
  });
});

describe('a program that cannot be started', () => {
  test.each([
    ['does not exist', '/nonexistent/program', 'ENOENT'],
    ['is not in the path', 'no-such-program-at-all', 'ENOENT'],
    ['is not executable', '/etc/passwd', 'EACCES'],
    ['is a folder', '/etc', 'EACCES'],
  ])('says which system error it was: one that %s', async (_, file, errno) => {
    expect((await shell('', { file })).ending).toEqual({ kind: 'not-started', errno });
  });

  test('says so too when the error is thrown at the start', async () => {
    const args = ['x'.repeat(200_000)]; // MAX_ARG_STRLEN, execve(2)
    const { ending } = await shell('', { file: 'true', args });
    expect(ending).toEqual({ kind: 'not-started', errno: 'E2BIG' });
  });
});

test('many at once need no warning of Node', async () => {
  const warnings: Error[] = [];
  const listen = (warning: Error): number => warnings.push(warning);
  process.on('warning', listen);
  const outcomes = await Promise.all(Array.from({ length: 30 }, () => shell('echo x')));
  process.off('warning', listen);
  expect(outcomes.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 30 }, () => 'x\n'));
  expect(warnings).toEqual([]);
});

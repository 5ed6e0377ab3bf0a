import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { acquireLock, lockHolder, type LockRequest } from '../../../src/lib/state/lock.ts';
import { currentBootId, monotonicMs } from '../../../src/lib/system/clock.ts';
import { runCommand, type RunCommand } from '../../../src/lib/system/command.ts';
import { BusyError, PermissionError, StateError } from '../../../src/lib/system/errors.ts';
import { ownIdentity, type ProcessIdentity } from '../../../src/lib/system/process-identity.ts';
import { Child } from '../../support/child.ts';
import { ROOT } from '../../support/executable.ts';
import { recordedLog } from '../../support/recorded-log.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../support/temporary-folder.ts';
import { until } from '../../support/until.ts';

const folder = createTemporaryFolder();
const program = path.join(folder, 'holder.cjs');
const children: Child[] = [];
let locks = 0;

/**
 * A process that takes the lock and says so. ROUNDS times it marks the protected time with a
 * file that must not be there yet; 0 rounds: it keeps the lock until it is killed.
 */
const PROGRAM = `
import { rmSync, writeFileSync } from 'node:fs';
import { acquireLock } from '${ROOT}/src/lib/state/lock.ts';
import { runCommand } from '${ROOT}/src/lib/system/command.ts';
const [path = '', rounds = '0', holdMs = '5000'] = process.argv.slice(2);
const log = {
  step: (text: string) => { console.log(text); },
  notice: () => undefined, warning: () => undefined, error: () => undefined,
};
const main = async (): Promise<void> => {
  const request = { path, waitMs: 30_000, holdMs: Number(holdMs), log, run: runCommand };
  for (let round = 0; round < Number(rounds); round++) {
    const lock = await acquireLock(request);
    writeFileSync(path + '.inside', '', { flag: 'wx' });
    await new Promise((resolve) => setTimeout(resolve, 5));
    rmSync(path + '.inside');
    lock.release();
  }
  if (rounds === '0') {
    await acquireLock(request);
    console.log('locked');
    setInterval(() => undefined, 60_000);
  } else {
    console.log('done');
  }
};
void main();
`;

beforeAll(async () => {
  await build({
    stdin: { contents: PROGRAM, loader: 'ts', resolveDir: ROOT },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    outfile: program,
    logLevel: 'error',
  });
});

afterEach(async () => {
  for (const child of children) child.signal('SIGKILL');
  await Promise.all(children.splice(0).map((child) => child.finished));
});

afterAll(() => {
  removeTemporaryFolder(folder);
});

function newLock(): string {
  const own = path.join(folder, `folder-${(locks += 1)}`);
  mkdirSync(own);
  return path.join(own, 'sample.lock');
}

function request(lockPath: string, changes: Partial<LockRequest> = {}): LockRequest {
  const log = recordedLog();
  return { path: lockPath, waitMs: 5000, holdMs: 5000, log, run: runCommand, ...changes };
}

/** The content of a lock that somebody else is said to hold. */
function content(
  changes: Partial<ProcessIdentity> = {},
  deadlineMs = monotonicMs() + 5000,
): string {
  const { pid, startTicks, bootId, pidNamespace } = { ...ownIdentity(), ...changes };
  return [pid, startTicks, bootId, pidNamespace, deadlineMs, 1].join(' ');
}

async function startHolder(lockPath: string, rounds = 0, holdMs = 5000): Promise<Child> {
  const args = [program, lockPath, String(rounds), String(holdMs)];
  const child = await Child.start(process.execPath, args, { timeoutMs: 60_000 });
  children.push(child);
  return child;
}

async function lockedByOther(lockPath: string, holdMs?: number): Promise<Child> {
  const holder = await startHolder(lockPath, 0, holdMs);
  await until('the lock is held', () => holder.output.includes('locked'));
  return holder;
}

const noCommand: RunCommand = () => Promise.reject(new Error('no command is to be run'));

describe('a free lock', () => {
  test('is taken and given back without a process', async () => {
    const lockPath = newLock();
    const lock = await acquireLock(request(lockPath, { run: noCommand }));
    expect(lockHolder(lockPath)).toMatchObject({ pid: process.pid });
    lock.release();
    expect(readdirSync(path.dirname(lockPath))).toEqual([]);
    expect(lockHolder(lockPath)).toBeUndefined();
  });

  test('is held once, also within one process', async () => {
    const lockPath = newLock();
    const lock = await acquireLock(request(lockPath));
    await expect(acquireLock(request(lockPath, { waitMs: 0 }))).rejects.toThrow(BusyError);
    lock.release();
    (await acquireLock(request(lockPath, { waitMs: 0 }))).release();
  });

  test('that somebody else has taken meanwhile is not given back', async () => {
    const lockPath = newLock();
    const lock = await acquireLock(request(lockPath));
    unlinkSync(lockPath);
    const next = await acquireLock(request(lockPath));
    lock.release();
    expect(lockHolder(lockPath)).toBeDefined();
    next.release();
  });

  test('in a folder that is missing is an error of the state', async () => {
    const lockPath = path.join(folder, 'missing', 'sample.lock');
    await expect(acquireLock(request(lockPath))).rejects.toThrow(StateError);
  });

  test('in a folder that is not ours is an error of permission', async () => {
    const refusal = Child.start(
      'setpriv',
      ['--reuid=65534', '--clear-groups', process.execPath, program, newLock(), '1'],
      {},
    );
    const { exitCode, stderr } = await (await refusal).finished;
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain(PermissionError.name);
    expect(stderr).toContain('EACCES');
  });
});

describe('another process', () => {
  test('that holds the lock makes us wait, and then give up', async () => {
    const lockPath = newLock();
    const { pid } = await lockedByOther(lockPath);
    expect(lockHolder(lockPath)).toMatchObject({ pid });
    const started = monotonicMs();
    const waiting = acquireLock(request(lockPath, { waitMs: 200, run: noCommand }));
    await expect(waiting).rejects.toThrow(BusyError);
    await expect(waiting).rejects.toThrow(`process ${pid}`);
    expect(monotonicMs() - started).toBeGreaterThanOrEqual(200);
  });

  test('that is killed leaves a lock that is void, and it is taken away', async () => {
    const lockPath = newLock();
    const holder = await lockedByOther(lockPath);
    holder.signal('SIGKILL');
    await holder.finished;
    expect(lstatSync(lockPath).isSymbolicLink()).toBe(true);
    expect(lockHolder(lockPath)).toBeUndefined();
    const log = recordedLog();
    (await acquireLock(request(lockPath, { log }))).release();
    expect(log.lines).toEqual(['step: took away the lock of a process that is gone']);
  });

  test('that is a zombie holds nothing', async () => {
    const lockPath = newLock();
    // The shell becomes sleep before its child ends, and sleep never asks how that ended.
    const parent = await Child.start('sh', ['-c', 'sleep 0.5 & echo $!; exec sleep 60']);
    children.push(parent);
    await until('a zombie', () => {
      const stat = readFileSync(`/proc/${parent.output.trim()}/stat`, 'latin1');
      return stat.includes(') Z ');
    });
    const pid = Number(parent.output.trim());
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
    symlinkSync(content({ pid, startTicks: Number(fields[19]) }), lockPath);
    (await acquireLock(request(lockPath))).release();
  });

  test('that holds it ten seconds past its deadline is killed, and that is said once', async () => {
    const lockPath = newLock();
    const holder = await lockedByOther(lockPath, -60_000);
    const log = recordedLog();
    const lock = await acquireLock(request(lockPath, { log }));
    expect((await holder.finished).signal).toBe('SIGKILL');
    expect(log.lines.filter((line) => line.startsWith('warning'))).toEqual([
      `warning: killed process ${holder.pid}, which held the lock past its deadline`,
    ]);
    lock.release();
  });

  test('that is late by less is left alone', async () => {
    const lockPath = newLock();
    const holder = await lockedByOther(lockPath, -5000);
    await expect(acquireLock(request(lockPath, { waitMs: 100 }))).rejects.toThrow(BusyError);
    expect(holder.running).toBe(true);
  });

  test('of a PID namespace that is gone is dead, where all namespaces can be seen', async () => {
    const lockPath = newLock();
    symlinkSync(content({ pidNamespace: 'pid:[1]' }, monotonicMs() - 60_000), lockPath);
    const taken = acquireLock(request(lockPath, { waitMs: 50 }));
    if (readlinkSync('/proc/self/ns/pid') === 'pid:[4026531836]') (await taken).release();
    else await expect(taken).rejects.toThrow(BusyError);
  });
});

describe('what is no lock of a living process', () => {
  const cases: readonly (readonly [what: string, target: () => string])[] = [
    ['a lock of another boot', () => content({ bootId: 'another-boot' })],
    ['a lock of a pid that was given to another process', () => content({ startTicks: 1 })],
    ['a lock of a pid that cannot be', () => content({ pid: 2 ** 40 })],
    ['a link to something else', () => '/etc/passwd'],
    ['a lock cut off', () => content().slice(0, 3)],
    ['a lock of pid 0', () => content({ pid: 0 })],
    ['a lock of a negative pid', () => content({ pid: -1 })],
  ];

  test.each(cases)('%s is taken away without waiting', async (_, target) => {
    const lockPath = newLock();
    symlinkSync(target(), lockPath);
    (await acquireLock(request(lockPath, { waitMs: 0 }))).release();
    expect(readdirSync(path.dirname(lockPath))).toEqual(['.break']);
  });

  test('a file in its place is taken away', async () => {
    const lockPath = newLock();
    writeFileSync(lockPath, 'nothing of ours');
    const lock = await acquireLock(request(lockPath));
    expect(readlinkSync(lockPath)).toContain(currentBootId());
    lock.release();
  });

  test('a folder in its place is an error of the state', async () => {
    const lockPath = newLock();
    mkdirSync(lockPath);
    await expect(acquireLock(request(lockPath))).rejects.toThrow(StateError);
  });

  test('a dead lock that cannot be broken without flock is an error of the state', async () => {
    const lockPath = newLock();
    symlinkSync(content({ bootId: 'another-boot' }), lockPath);
    const run: RunCommand = () =>
      Promise.resolve({ exitCode: undefined, stdout: '', stderr: '', failure: 'no flock' });
    const broken = acquireLock(request(lockPath, { run }));
    await expect(broken).rejects.toThrow(StateError);
    await expect(broken).rejects.toThrow('no flock');
  });
});

describe('many processes at once', () => {
  test('20 that find a dead lock: one breaks it, and never do two hold it', async () => {
    const lockPath = newLock();
    symlinkSync(content({ bootId: 'another-boot' }), lockPath);
    const all = await Promise.all(Array.from({ length: 20 }, () => startHolder(lockPath, 3)));
    const ends = await Promise.all(all.map((child) => child.finished));
    // A second holder inside would fail with EEXIST.
    expect(ends.map(({ stderr }) => stderr).join('')).toBe('');
    expect(ends.filter(({ stdout }) => stdout.endsWith('done\n'))).toHaveLength(20);
    const breakers = ends.filter(({ stdout }) => stdout.includes('took away'));
    expect(breakers).toHaveLength(1);
    expect(readdirSync(path.dirname(lockPath))).toEqual(['.break']);
  }, 90_000);

  test('breakers wait for the one that is at work', async () => {
    const lockPath = newLock();
    symlinkSync(content({ bootId: 'another-boot' }), lockPath);
    const breakFile = path.join(path.dirname(lockPath), '.break');
    const other = await Child.start('flock', [breakFile, '-c', 'echo at work; sleep 60'], {
      group: true,
    });
    children.push(other);
    await until('the kernel lock is held', () => other.output.includes('at work'));
    await expect(acquireLock(request(lockPath, { waitMs: 50 }))).rejects.toThrow(BusyError);
    other.signal('SIGKILL');
    await other.finished;
    (await acquireLock(request(lockPath))).release();
  });
});

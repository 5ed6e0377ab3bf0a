import { readFileSync, readlinkSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  identityOf,
  killProcess,
  livenessOf,
  ownIdentity,
} from '../../../src/lib/system/process-identity.ts';
import { Child } from '../../support/child.ts';
import { until } from '../../support/until.ts';

describe('our own process', () => {
  test('is alive, and always the same', () => {
    expect(ownIdentity()).toEqual(ownIdentity());
    expect(ownIdentity().pid).toBe(process.pid);
    expect(livenessOf(ownIdentity())).toBe('alive');
  });

  test('is another with another start time, boot or PID namespace', () => {
    expect(livenessOf({ ...ownIdentity(), startTicks: 1 })).toBe('dead');
    expect(livenessOf({ ...ownIdentity(), bootId: 'another-boot' })).toBe('dead');
    expect(livenessOf({ ...ownIdentity(), pidNamespace: 'pid:[1]' })).toBe(goneNamespace());
  });
});

/** From the initial namespace every other one can be seen: one that cannot is gone. */
function goneNamespace(): 'dead' | 'unknowable' {
  return readlinkSync('/proc/self/ns/pid') === 'pid:[4026531836]' ? 'dead' : 'unknowable';
}

describe('a process of another PID namespace', () => {
  test('is told by its pid there, is never killed, and dies with its namespace', async () => {
    const child = await Child.start('unshare', ['--pid', '--fork', '--kill-child', 'sleep', '60']);
    const inner = (): string =>
      readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'latin1').trim();
    await until('the process', () => inner() !== '' && commandOf(inner()) === 'sleep');
    const seen = identityOf(Number(inner()));
    const pidNamespace = readlinkSync(`/proc/${inner()}/ns/pid`);
    const identity = { ...seen, pid: 1, pidNamespace };
    expect(pidNamespace).not.toBe(ownIdentity().pidNamespace);
    expect(livenessOf(identity)).toBe('alive');
    expect(livenessOf({ ...identity, pid: 2 })).not.toBe('alive');
    expect(killProcess(identity)).toBe(false);
    expect(livenessOf(identity)).toBe('alive');
    child.signal('SIGKILL');
    await child.finished;
    await until('its end', () => livenessOf(identity) === goneNamespace());
  });
});

function commandOf(pid: string): string {
  return readFileSync(`/proc/${pid}/comm`, 'latin1').trim();
}

describe('another process', () => {
  test('is alive until it is killed', async () => {
    const child = await Child.start('sleep', ['60']);
    const identity = identityOf(child.pid);
    expect(livenessOf(identity)).toBe('alive');
    killProcess(identity);
    expect((await child.finished).signal).toBe('SIGKILL');
    expect(livenessOf(identity)).toBe('dead');
    killProcess(identity);
  });

  test('is not killed in the place of one that had its pid', async () => {
    const child = await Child.start('sleep', ['60']);
    killProcess({ ...identityOf(child.pid), startTicks: 1 });
    killProcess({ ...identityOf(child.pid), pidNamespace: 'pid:[1]' });
    killProcess({ ...identityOf(child.pid), bootId: 'another-boot' });
    expect(livenessOf(identityOf(child.pid))).toBe('alive');
    child.signal('SIGKILL');
    await child.finished;
  });

  test('may have any name', async () => {
    const script = 'printf ") Z 1 (" > /proc/$$/comm; echo ready; read line';
    const child = await Child.start('sh', ['-c', `${script} < /dev/zero`]);
    await until('the name is set', () => child.output.includes('ready'));
    expect(readFileSync(`/proc/${child.pid}/comm`, 'latin1')).toContain(') Z 1 (');
    expect(livenessOf(identityOf(child.pid))).toBe('alive');
    child.signal('SIGKILL');
    await child.finished;
  });

  test('that is dead and not reaped is dead', async () => {
    const parent = await Child.start('sh', ['-c', 'sleep 0.5 & echo $!; exec sleep 60']);
    await until('a zombie', () =>
      readFileSync(`/proc/${parent.output.trim()}/stat`, 'latin1').includes(') Z '),
    );
    expect(livenessOf(identityOf(Number(parent.output.trim())))).toBe('dead');
    parent.signal('SIGKILL');
    await parent.finished;
  });

  test.each([0, -1, 2 ** 22 + 1, 2 ** 40])('cannot have pid %i', (pid) => {
    expect(livenessOf({ ...ownIdentity(), pid })).toBe('dead');
    killProcess({ ...ownIdentity(), pid });
  });
});

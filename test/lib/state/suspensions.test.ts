import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  activeSuspensions,
  removeSuspension,
  suspendedInstances,
  writeSuspension,
  type NewSuspension,
} from '../../../src/lib/state/suspensions.ts';
import { currentBootId, type Moment } from '../../../src/lib/system/clock.ts';
import { StateError } from '../../../src/lib/system/errors.ts';
import { identityOf, ownIdentity } from '../../../src/lib/system/process-identity.ts';
import { Child } from '../../support/child.ts';
import { moment } from '../../support/example-state.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../support/temporary-folder.ts';

const base = createTemporaryFolder();
let folders = 0;

afterAll(() => {
  removeTemporaryFolder(base);
});

function newFolder(): string {
  return path.join(base, `folder-${(folders += 1)}`, 'suspensions');
}

function suspend(folder: string, changes: Partial<NewSuspension> = {}, now = moment()): void {
  const request = {
    instance: 'sample',
    holder: 'manual',
    reason: 'new disk',
    forMs: undefined,
    acrossReboot: false,
    processes: undefined,
    ...changes,
  };
  writeSuspension(folder, request, now);
}

function holders(folder: string, now: Moment = moment(), instance = 'sample'): readonly string[] {
  return activeSuspensions([folder], instance, now).map(({ holder }) => holder);
}

describe('a suspension', () => {
  test('is in force until it is removed', () => {
    const folder = newFolder();
    suspend(folder);
    const [active, ...more] = activeSuspensions([folder], 'sample', moment(9_000_000_000));
    expect(more).toEqual([]);
    expect(active).toMatchObject({
      holder: 'manual',
      reason: 'new disk',
      sinceWallMs: moment().wallMs,
      leftMs: undefined,
      acrossReboot: false,
      unreadable: false,
      boundToProcess: false,
    });
    expect(removeSuspension(folder, 'sample', 'manual')).toBe(true);
    expect(removeSuspension(folder, 'sample', 'manual')).toBe(false);
    expect(holders(folder)).toEqual([]);
  });

  test('is one per holder, and a new one of the same holder has another id', () => {
    const folder = newFolder();
    suspend(folder);
    const [first] = activeSuspensions([folder], 'sample', moment());
    suspend(folder, { reason: 'another disk' });
    const [second, ...more] = activeSuspensions([folder], 'sample', moment());
    expect(more).toEqual([]);
    expect(second?.reason).toBe('another disk');
    expect(second?.id).not.toBe(first?.id);
    suspend(folder, { holder: 'backup' });
    expect([...holders(folder)].sort()).toEqual(['backup', 'manual']);
  });

  test('is of its own instance only, also where names begin alike', () => {
    const folder = newFolder();
    suspend(folder, { instance: 'sample-2' });
    suspend(folder, { instance: 'sam' });
    expect(holders(folder)).toEqual([]);
    expect(holders(folder, moment(), 'sam')).toEqual(['manual']);
    expect([...suspendedInstances([folder])].sort()).toEqual(['sam', 'sample-2']);
  });

  test('may be in several folders', () => {
    const [one, two] = [newFolder(), newFolder()];
    suspend(one);
    suspend(two, { holder: 'other' });
    const found = activeSuspensions([one, two, newFolder()], 'sample', moment());
    expect(found.map(({ holder }) => holder)).toEqual(['manual', 'other']);
    expect(suspendedInstances([one, two])).toEqual(['sample']);
  });

  test('is a file that everybody may read, and leaves nothing beside it', () => {
    const folder = newFolder();
    suspend(folder);
    suspend(folder);
    expect(readdirSync(folder)).toEqual(['sample@manual.json']);
    expect(statSync(path.join(folder, 'sample@manual.json')).mode & 0o777).toBe(0o644);
  });

  test('with a very long reason keeps its end', () => {
    const folder = newFolder();
    suspend(folder, { reason: '§'.repeat(20_000), forMs: 1000 });
    expect(activeSuspensions([folder], 'sample', moment())).toMatchObject([
      { unreadable: false, leftMs: 1000 },
    ]);
  });

  test('that cannot be written is an error of the state', () => {
    const folder = newFolder();
    mkdirSync(path.dirname(folder));
    writeFileSync(folder, '');
    expect(() => {
      suspend(folder);
    }).toThrow(StateError);
  });
});

describe('the end of a suspension', () => {
  const MINUTE = 60_000;

  /** The time that is left, or undefined when it is over. */
  function left(folder: string, now: Moment): number | undefined {
    return activeSuspensions([folder], 'sample', now)[0]?.leftMs;
  }

  test('comes on the clock since boot, whatever the wall clock does', () => {
    const folder = newFolder();
    suspend(folder, { forMs: MINUTE });
    const now = moment(1_000_000 + MINUTE - 10);
    expect(left(folder, { ...now, wallMs: 0 })).toBe(10);
    expect(left(folder, { ...now, wallMs: 9e12 })).toBe(10);
    expect(holders(folder, { ...moment(1_000_000 + MINUTE), wallMs: 0 })).toEqual([]);
  });

  test('comes with the reboot, unless it has to survive one', () => {
    const folder = newFolder();
    suspend(folder, { forMs: MINUTE });
    suspend(folder, { holder: 'lasting', acrossReboot: true });
    expect(holders(folder, moment(10, 'another-boot'))).toEqual(['lasting']);
  });

  test('comes on the wall clock after a reboot', () => {
    const folder = newFolder();
    suspend(folder, { forMs: MINUTE, acrossReboot: true });
    const endMs = moment().wallMs + MINUTE;
    const rebooted = moment(10, 'another-boot');
    expect(left(folder, { ...rebooted, wallMs: endMs - 1 })).toBe(1);
    expect(holders(folder, { ...rebooted, wallMs: endMs })).toEqual([]);
  });
});

describe('a suspension that belongs to processes', () => {
  const now = moment(1_000_000, currentBootId());

  test('lasts as long as one of them lives', async () => {
    const folder = newFolder();
    const child = await Child.start('sleep', ['60']);
    const processes = [identityOf(child.pid), { ...ownIdentity(), startTicks: 1 }];
    suspend(folder, { processes }, now);
    expect(activeSuspensions([folder], 'sample', now)).toMatchObject([{ boundToProcess: true }]);
    child.signal('SIGKILL');
    await child.finished;
    expect(holders(folder, now)).toEqual([]);
  });

  test('ends with their PID namespace, and lasts where such a one cannot be seen', () => {
    const folder = newFolder();
    suspend(folder, { processes: [{ ...ownIdentity(), pidNamespace: 'pid:[1]' }] }, now);
    const seesAll = readlinkSync('/proc/self/ns/pid') === 'pid:[4026531836]'; // the initial one
    expect(holders(folder, now)).toEqual(seesAll ? [] : ['manual']);
  });
});

describe('what cannot be read', () => {
  const contents: readonly (readonly [what: string, content: string])[] = [
    ['an empty file', ''],
    ['a file cut off', '{"version":1,"id":"00"'],
    ['something else', '[]'],
    ['a newer version', '{"version":2}'],
    ['a giant', ' '.repeat(20_000)],
  ];

  test.each(contents)('%s is a suspension without end', (_, content) => {
    const folder = newFolder();
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'sample@manual.json'), content);
    expect(activeSuspensions([folder], 'sample', moment())).toMatchObject([
      { holder: 'manual', unreadable: true, leftMs: undefined },
    ]);
    expect(removeSuspension(folder, 'sample', 'manual')).toBe(true);
  });

  test('neither is a link followed nor a FIFO waited for', () => {
    const folder = newFolder();
    suspend(folder, { instance: 'other', forMs: 1 });
    symlinkSync('other@manual.json', path.join(folder, 'sample@link.json'));
    execFileSync('mkfifo', [path.join(folder, 'sample@fifo.json')]);
    const found = activeSuspensions([folder], 'sample', moment());
    expect(found.map(({ unreadable }) => unreadable)).toEqual([true, true]);
  });

  test('a value of another kind makes it unreadable, and so in force', () => {
    const folder = newFolder();
    suspend(folder, { forMs: 1000 });
    const file = path.join(folder, 'sample@manual.json');
    const good = readFileSync(file, 'utf8');
    for (const key of Object.keys(JSON.parse(good) as object)) {
      writeFileSync(file, good.replace(new RegExp(`"${key}":[^,}]*`), `"${key}":{}`));
      const [found] = activeSuspensions([folder], 'sample', moment(9_000_000_000));
      expect(found?.unreadable).toBe(true);
    }
  });

  test('a folder that is none is an error of the state: that is not known', () => {
    const folder = newFolder();
    mkdirSync(path.dirname(folder));
    writeFileSync(folder, '');
    expect(() => holders(folder)).toThrow(StateError);
    expect(() => suspendedInstances([folder])).toThrow(StateError);
  });

  test('files of other names are none', () => {
    const folder = newFolder();
    suspend(folder);
    for (const name of ['sample@manual.json.0123.tmp', 'sample.json', 'README', '.sample@x'])
      writeFileSync(path.join(folder, name), '');
    expect(holders(folder)).toEqual(['manual']);
  });
});

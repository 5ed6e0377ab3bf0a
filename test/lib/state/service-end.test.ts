import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { describeEnd, latestServiceEnd } from '../../../src/lib/state/service-end.ts';
import { StateError } from '../../../src/lib/system/errors.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../support/temporary-folder.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = createTemporaryFolder();
  file = path.join(folder, 'sample.ended');
});
afterEach(() => {
  removeTemporaryFolder(folder);
});

describe('the end of a service', () => {
  test('is none where nothing is noted', () => {
    expect(latestServiceEnd(file)).toBeUndefined();
    expect(latestServiceEnd(path.join(folder, 'nowhere/sample.ended'))).toBeUndefined();
  });

  test('says which unit ended, and how', () => {
    symlinkSync('unbound.service signal KILL', file);
    expect(latestServiceEnd(file)?.words).toBe('unbound.service ended (SIGKILL)');
  });

  test('is another one each time, though nothing else differs', () => {
    const ids = new Set<string | undefined>();
    for (let count = 0; count < 20; count++) {
      rmSync(file, { force: true });
      symlinkSync('unbound.service signal KILL', file);
      ids.add(latestServiceEnd(file)?.id);
    }
    expect(ids.size).toBe(20);
  });

  test('is the same one as long as nobody notes another', () => {
    symlinkSync('unbound.service success 0', file);
    expect(latestServiceEnd(file)).toEqual(latestServiceEnd(file));
  });

  test('may be noted with touch, too', () => {
    writeFileSync(file, '');
    expect(latestServiceEnd(file)?.words).toBe('its service ended');
  });

  test('that cannot be told is a fault of the state', () => {
    mkdirSync(file);
    expect(() => latestServiceEnd(path.join(file, 'x'.repeat(300)))).toThrow(StateError);
  });
});

test.each([
  ['unbound.service success 0', 'unbound.service ended'],
  ['unbound.service exit-code 1', 'unbound.service ended (exit status 1)'],
  ['unbound.service core-dump SEGV', 'unbound.service ended (SIGSEGV)'],
  ['unbound.service oom-kill KILL', 'unbound.service ended (oom-kill)'],
  ['unbound.service watchdog ABRT', 'unbound.service ended (watchdog)'],
  ['kresd@1.service signal TERM', 'kresd@1.service ended (SIGTERM)'],
  ['a\\x2db.service exit-code ', 'a\\x2db.service ended (exit status ?)'],
  ['unbound.service', 'unbound.service ended'],
  ['unbound.service \u001b[31m \u001b', 'unbound.service ended'],
  ['\u001b[31m signal KILL', 'its service ended'],
  ['', 'its service ended'],
])('what systemd notes as %j is told as "%s"', (target, words) => {
  expect(describeEnd(target)).toBe(words);
});

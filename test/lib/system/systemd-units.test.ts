import { describe, expect, test } from 'vitest';
import type { RunCommand } from '../../../src/lib/system/command.ts';
import { readPassUnits } from '../../../src/lib/system/systemd-units.ts';

/** A systemctl that says something, as 252 and 257 do. */
function systemctl(stdout: string, exitCode = 0): RunCommand {
  return () => Promise.resolve({ exitCode, stdout, stderr: '', failure: undefined });
}

const SERVICE = (id: string, result: string, status: number): string =>
  `Result=${result}\nExecMainStatus=${status}\nId=${id}\nActiveState=inactive`;

describe('the units of passes', () => {
  test('are told by instance, with how the last pass ended and whether the next one comes', async () => {
    const shown = [
      SERVICE('dns-probe@a.service', 'exit-code', 78),
      'Id=dns-probe@a.timer\nActiveState=active',
      'Id=exec-probe@b.timer\nActiveState=inactive',
      SERVICE('exec-probe@b.service', 'timeout', 0),
      SERVICE('dns-probe@c.service', 'success', 2),
    ].join('\n\n');
    expect(await readPassUnits(systemctl(shown), ['a', 'b', 'c'])).toEqual(
      new Map([
        ['a', { service: 'dns-probe@a.service', failure: 'exit status 78', scheduled: true }],
        ['b', { service: 'exec-probe@b.service', failure: 'timeout', scheduled: false }],
        ['c', { service: 'dns-probe@c.service', failure: undefined, scheduled: false }],
      ]),
    );
  });

  test('are none where there is no systemd, or it knows none', async () => {
    expect(await readPassUnits(systemctl('', 1), ['a'])).toEqual(new Map());
    expect(await readPassUnits(systemctl(''), ['a'])).toEqual(new Map());
  });
});

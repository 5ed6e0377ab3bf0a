import { expect, test } from 'vitest';
import { whySilent } from '../../../src/lib/node/silence.ts';
import type { KnownConfiguration } from '../../../src/lib/options/configured-instances.ts';
import type { PassUnit } from '../../../src/lib/system/systemd-units.ts';

const FILE: KnownConfiguration = {
  path: '/etc/anycast-ha/x.toml',
  instance: 'x',
  problem: undefined,
};
const UNIT: PassUnit = { service: 'dns-probe@x.service', failure: undefined, scheduled: true };

const NOTHING = { hasRun: false, file: FILE as KnownConfiguration | undefined, gone: false };

test.each([
  [
    'a file that no pass can read',
    { file: { ...FILE, problem: 'x.toml: line 1' } },
    'x.toml: line 1',
  ],
  [
    'a pass that fails',
    { unit: { ...UNIT, failure: 'exit status 78' } },
    'its passes fail (exit status 78): journalctl -u dns-probe@x.service',
  ],
  [
    'a timer that was stopped',
    { unit: { ...UNIT, scheduled: false }, hasRun: true },
    'its timer does not run: systemctl enable --now dns-probe@x.timer',
  ],
  ['the first pass', { unit: UNIT }, 'its first pass has not ended yet'],
  ['a pass that is late', { unit: UNIT, hasRun: true }, undefined],
  [
    'nobody',
    {},
    'nothing has run /etc/anycast-ha/x.toml since boot: systemctl enable --now PROBE@x.timer',
  ],
  ['cron, whose passes are late', { hasRun: true }, undefined],
  [
    'a file that is gone',
    { hasRun: true, gone: true, file: undefined },
    'its configuration is gone: take it out by its probe with --withdraw --instance x',
  ],
])(
  'why an instance is silent: %s',
  (_, given: Partial<typeof NOTHING> & { unit?: PassUnit }, why) => {
    const { hasRun, file, gone, unit } = { ...NOTHING, unit: undefined, ...given };
    expect(whySilent('x', hasRun, file, unit, gone)).toBe(why);
  },
);

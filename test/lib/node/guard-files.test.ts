import { describe, expect, test } from 'vitest';
import {
  guardDropIn,
  guardDropInText,
  instanceOfDropIn,
  isOurs,
  unitDropIn,
  unitDropInText,
} from '../../../src/lib/node/guard-files.ts';

const RUN = '/run/anycast-ha';
const SUSPEND = '/usr/sbin/ha-suspend';

/** The lines that are no comment. */
const lines = (text: string): readonly string[] =>
  text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

describe('the drop-in on the unit of a service', () => {
  test('wants the guard, notes the end, and then withdraws', () => {
    expect(lines(unitDropInText('recursive', RUN))).toEqual([
      '[Unit]',
      'Wants=anycast-ha-guard@recursive.service',
      '[Service]',
      'ExecStopPost=-+/bin/ln -sfT "%n ${SERVICE_RESULT} ${EXIT_STATUS}" /run/anycast-ha/recursive.ended',
      'ExecStopPost=-+/sbin/ip -force -batch /run/anycast-ha/recursive.withdraw',
    ]);
  });

  test('quotes what systemd would take for something else', () => {
    const text = unitDropInText('a:b', '/srv/50% of "x" $y\\z');
    expect(text).toContain(' "/srv/50%% of \\"x\\" $$y\\\\z/a:b.withdraw"\n');
  });

  test('is told by its name, and by its first line', () => {
    const tie = { instance: 'a:b-c.d_e', unit: 'kresd@1.service' };
    expect(unitDropIn(tie)).toBe('/etc/systemd/system/kresd@1.service.d/anycast-ha-a:b-c.d_e.conf');
    expect(instanceOfDropIn('anycast-ha-a:b-c.d_e.conf')).toBe('a:b-c.d_e');
    expect(instanceOfDropIn('anycast-ha-.conf')).toBeUndefined();
    expect(instanceOfDropIn('override.conf')).toBeUndefined();
    expect(isOurs(unitDropInText('x', RUN))).toBe(true);
    expect(isOurs('[Service]\n')).toBe(false);
  });
});

describe('the drop-in on the guard', () => {
  test('makes it a part of the units, and suspends when one stops', () => {
    expect(guardDropIn('recursive')).toBe(
      '/etc/systemd/system/anycast-ha-guard@recursive.service.d/units.conf',
    );
    const text = guardDropInText('recursive', ['a.service', 'b\\x2dc.service'], SUSPEND, RUN);
    expect(isOurs(text)).toBe(true);
    expect(lines(text)).toEqual([
      '[Unit]',
      'PartOf=a.service b\\x2dc.service',
      'After=a.service b\\x2dc.service',
      '[Service]',
      'ExecStop=/usr/sbin/ha-suspend recursive --by guard --replace --reason "a.service or b\\\\x2dc.service stops"',
    ]);
  });

  test('names a state folder that is elsewhere', () => {
    const text = guardDropInText('x', ['a.service'], SUSPEND, '/srv/state');
    expect(text).toContain(' --reason "a.service stops" --state-dir /srv/state\n');
  });
});

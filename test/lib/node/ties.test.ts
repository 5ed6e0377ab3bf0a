import { describe, expect, test } from 'vitest';
import { problemOf } from '../../../src/lib/node/ties.ts';
import { unitProperties, type UnitProperties } from '../../../src/lib/system/service-units.ts';

const TIE = { instance: 'recursive', unit: 'unbound.service' };
const RUN = '/run/anycast-ha';
const GUARD = 'anycast-ha-guard@recursive.service';

/** As systemctl prints it. */
function unit(changes: Readonly<Record<string, string>> = {}): UnitProperties {
  const properties = {
    Id: TIE.unit,
    LoadState: 'loaded',
    ActiveState: 'active',
    Wants: `other.service ${GUARD}`,
    NeedDaemonReload: 'no',
    ...changes,
  };
  const stops = [
    '{ path=/bin/ln ; argv[]=/bin/ln -sfT %n x /run/anycast-ha/recursive.ended ; ignore_errors=yes }',
    '{ path=/sbin/ip ; argv[]=/sbin/ip -force -batch /run/anycast-ha/recursive.withdraw ; ignore_errors=yes }',
  ];
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}`);
  const own =
    changes['ExecStopPost'] === undefined ? stops.map((stop) => `ExecStopPost=${stop}`) : [];
  return unitProperties([...lines, ...own].join('\n'));
}

describe('a tie', () => {
  test('that does what it is for has no problem, whether or not the service runs', () => {
    expect(problemOf(TIE, unit(), unit(), RUN)).toBeUndefined();
    const idle = { ActiveState: 'inactive' };
    expect(problemOf(TIE, unit(idle), unit(idle), RUN)).toBeUndefined();
  });

  test.each([
    [
      { LoadState: 'not-found' },
      {},
      'systemd knows no unbound.service (not-found): ha-guard --remove',
    ],
    [{ LoadState: 'masked' }, {}, 'systemd knows no unbound.service (masked)'],
    [{ Id: 'ub.service' }, {}, 'unbound.service is ub.service by now: ha-guard --remove recursive'],
    [{}, { LoadState: 'not-found' }, `${GUARD} is not installed`],
    [{ ExecStopPost: '' }, {}, 'another drop-in undoes that of unbound.service: systemctl cat'],
    [{ Wants: '' }, {}, 'another drop-in undoes that of unbound.service'],
    [{ Wants: '', NeedDaemonReload: 'yes' }, {}, 'systemd has not read the drop-in'],
    [
      {},
      { ActiveState: 'inactive' },
      `a stop of unbound.service takes nothing along: systemctl start ${GUARD}`,
    ],
  ])('of a unit with %j and a guard with %j is told: %s…', (service, guard, message) => {
    expect(problemOf(TIE, unit(service), unit(guard), RUN)).toContain(message);
  });

  test('is not in force by another instance whose name begins alike', () => {
    const alike = { instance: 'recursiv', unit: TIE.unit };
    expect(problemOf(alike, unit(), unit(), RUN)).toContain('another drop-in undoes');
  });
});

test('a property that stands several times has all its values', () => {
  const found = unitProperties('Id=a.service\nExecStopPost={ x=1 }\nExecStopPost={ y }');
  expect(found.get('ExecStopPost')).toEqual(['{ x=1 }', '{ y }']);
});

import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import {
  endRouteLease,
  openRouteLeases,
  routeLease,
  routeLeases,
  setRouteLease,
} from '../../../src/lib/state/route-leases.ts';
import { StateError } from '../../../src/lib/system/errors.ts';
import { moment } from '../../support/example-state.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../support/temporary-folder.ts';

const root = createTemporaryFolder();
afterAll(() => {
  removeTemporaryFolder(root);
});

let count = 0;
function folder(): string {
  count += 1;
  return `${root}/${count}/route-leases`;
}

describe('the lease of a route', () => {
  test('is set, set anew, and ended', () => {
    const leases = folder();
    setRouteLease(leases, '192.0.2.1', 5000, moment(1000));
    setRouteLease(leases, '2001:db8::1', 5000, moment(1000));
    setRouteLease(leases, '192.0.2.1', 5000, moment(2000));
    expect(routeLeases(leases, moment(9000))).toEqual(
      expect.arrayContaining([
        { address: '192.0.2.1', untilMs: 7000 },
        { address: '2001:db8::1', untilMs: 6000 },
      ]),
    );
    endRouteLease(leases, '192.0.2.1');
    endRouteLease(leases, '192.0.2.1');
    expect(routeLease(leases, '192.0.2.1', moment())).toBeUndefined();
    expect(readdirSync(leases)).toEqual(['2001:db8::1']);
  });

  test('of another boot has no end that counts', () => {
    const leases = folder();
    setRouteLease(leases, '192.0.2.1', 5000, moment(1000, 'that-boot'));
    expect(routeLease(leases, '192.0.2.1', moment(1000, 'this-boot'))).toEqual({
      address: '192.0.2.1',
      untilMs: undefined,
    });
  });

  test('that cannot be understood has none either', () => {
    const leases = folder();
    mkdirSync(leases, { recursive: true });
    symlinkSync('this-boot 1e99', `${leases}/192.0.2.1`);
    writeFileSync(`${leases}/192.0.2.2`, '');
    expect(routeLeases(leases, moment()).map(({ untilMs }) => untilMs)).toEqual([
      undefined,
      undefined,
    ]);
  });

  test('survives what a run left that was killed while it wrote', () => {
    const leases = folder();
    mkdirSync(leases, { recursive: true });
    symlinkSync('this-boot 1', `${leases}/.192.0.2.1.tmp`);
    expect(routeLeases(leases, moment())).toEqual([]);
    setRouteLease(leases, '192.0.2.1', 5000, moment(1000));
    expect(readdirSync(leases)).toEqual(['192.0.2.1']);
  });

  test('that the disk does not take is an error of the state', () => {
    writeFileSync(`${root}/file`, '');
    const leases = `${root}/file/route-leases`;
    expect(() => {
      setRouteLease(leases, '192.0.2.1', 5000, moment());
    }).toThrow(StateError);
    expect(() => {
      endRouteLease(leases, '192.0.2.1');
    }).toThrow(StateError);
  });

  test('is lost where its folder is, which is told once', () => {
    const leases = folder();
    mkdirSync(leases.replace('/route-leases', ''), { recursive: true });
    expect(openRouteLeases(leases)).toBe(true);
    expect(openRouteLeases(leases)).toBe(false);
  });
});

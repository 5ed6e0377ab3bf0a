import { mkdirSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { adoptRoutes, sweepRoutes } from '../../../src/lib/pass/sweep.ts';
import { claim } from '../../../src/lib/state/claims.ts';
import { acquireLock } from '../../../src/lib/state/lock.ts';
import {
  routeLease,
  routeLeaseFolder,
  setRouteLease,
} from '../../../src/lib/state/route-leases.ts';
import { instancePaths } from '../../../src/lib/state/state-folder.ts';
import type { CommandResult, RunCommand } from '../../../src/lib/system/command.ts';
import { moment } from '../../support/example-state.ts';
import { recordedLog, type RecordedLog } from '../../support/recorded-log.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../support/temporary-folder.ts';

const ADDRESS = '192.0.2.153';
const SET_AT_MS = 1_000_000;
const LEASE_MS = 60_000;
const OVER = moment(SET_AT_MS + LEASE_MS + 1);

let root: string;
let stateDir: string;
let leases: string;
beforeEach(() => {
  root = createTemporaryFolder();
  stateDir = `${root}/state`;
  mkdirSync(stateDir, { mode: 0o755 });
  leases = routeLeaseFolder(stateDir);
  setRouteLease(leases, ADDRESS, LEASE_MS, moment(SET_AT_MS));
});
afterEach(() => {
  removeTemporaryFolder(root);
});

/** A kernel with one route of ours, or none, which it may refuse to delete. */
function kernel({ present = true, refuses = '' } = {}): {
  run: RunCommand;
  calls: string[];
  present: () => boolean;
} {
  let there = present;
  const calls: string[] = [];
  const answer = (changes: Partial<CommandResult>): Promise<CommandResult> =>
    Promise.resolve({ exitCode: 0, stdout: '', stderr: '', failure: undefined, ...changes });
  const run: RunCommand = (_file, args, { input = '' }) => {
    calls.push([...args, input].join(' ').trim());
    if (args.includes('show')) {
      return answer({
        stdout: there ? `[{"dst":"${ADDRESS}","dev":"bond0","protocol":"121"}]` : '',
      });
    }
    if (refuses !== '') {
      return answer({ exitCode: 1, stderr: `${refuses}\nCommand failed -:1\n` });
    }
    there = false;
    return answer({});
  };
  return { run, calls, present: () => there };
}

function sweep(run: RunCommand, now = OVER): Promise<RecordedLog> {
  const log = recordedLog();
  const ownUid = process.geteuid?.() ?? 0;
  const ports = { clock: { now: () => now }, log, run, ownUid };
  return sweepRoutes(stateDir, ports).then(() => log);
}

describe('the sweep', () => {
  test('starts nothing while no lease ran out', async () => {
    const { run, calls } = kernel();
    await sweep(run, moment(SET_AT_MS + LEASE_MS));
    expect(calls).toEqual([]);
  });

  test('starts nothing where there never was a route', async () => {
    rmSync(leases, { recursive: true });
    const { run, calls } = kernel();
    await sweep(run);
    expect(calls).toEqual([]);
    expect((await sweep(run)).lines).toEqual([]);
  });

  test('removes a route whose lease ran out, and its lease, and says so', async () => {
    const { run, calls, present } = kernel();
    const { lines } = await sweep(run);
    expect(present()).toBe(false);
    expect(calls[1]).toContain('route del 192.0.2.153/32 dev bond0 table 254 metric 0 proto 121');
    expect(lines).toEqual([
      'notice: withdrew 192.0.2.153/32 dev bond0 (proto 121): its lease ran out',
    ]);
    expect(routeLease(leases, ADDRESS, OVER)).toBeUndefined();
  });

  test('forgets the lease of a route that is gone already', async () => {
    const { run, calls } = kernel({ present: false });
    expect((await sweep(run)).lines).toEqual([]);
    expect(calls).toHaveLength(1);
    expect(routeLease(leases, ADDRESS, OVER)).toBeUndefined();
  });

  test('leaves it to a pass of the owner that is under way', async () => {
    claim(instancePaths(stateDir, '').claims, ADDRESS, 'owner');
    const { run, present } = kernel();
    const path = instancePaths(stateDir, 'owner').lock;
    const lock = await acquireLock({ path, waitMs: 0, holdMs: 60_000, log: recordedLog(), run });
    await sweep(run);
    expect(present()).toBe(true);
    lock.release();
    await sweep(run);
    expect(present()).toBe(false);
  });

  test('warns where the kernel refuses, and comes again', async () => {
    const { run } = kernel({ refuses: 'RTNETLINK answers: Operation not permitted' });
    const { lines } = await sweep(run);
    expect(lines).toEqual([
      'warning: cannot remove the route to 192.0.2.153, whose lease ran out: RTNETLINK answers: Operation not permitted',
    ]);
    expect(routeLease(leases, ADDRESS, OVER)).toBeDefined();
  });

  test('is no reason for a pass to fail', async () => {
    const run: RunCommand = () =>
      Promise.resolve({ exitCode: undefined, stdout: '', stderr: '', failure: 'ip is not there' });
    expect((await sweep(run)).lines).toEqual([
      'warning: cannot remove routes whose leases ran out: cannot read routes: ip is not there',
    ]);
  });
});

describe('routes that are left behind', () => {
  test('get a lease when all leases are lost, and keep the one they have otherwise', async () => {
    const ports = { clock: { now: () => OVER }, log: recordedLog(), run: kernel().run };
    const ownUid = process.geteuid?.() ?? 0;
    await adoptRoutes(stateDir, 5000, { ...ports, ownUid });
    expect(routeLease(leases, ADDRESS, OVER)?.untilMs).toBe(SET_AT_MS + LEASE_MS);
    rmSync(stateDir, { recursive: true });
    await adoptRoutes(stateDir, 5000, { ...ports, ownUid });
    expect(routeLease(leases, ADDRESS, OVER)?.untilMs).toBe(OVER.bootMs + 5000);
  });
});

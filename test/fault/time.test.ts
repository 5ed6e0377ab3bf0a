import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Finished } from '../support/child.ts';
import { run } from '../support/executable.ts';
import { Figures } from '../support/fault-figures.ts';
import { FaultNode } from '../support/fault-node.ts';

const MINUTE_S = 60;
const DAY_S = 86_400;
const TEN_YEARS_S = 3652 * DAY_S;

const figures = new Figures('time: steps, sleep and reboots');
let node: FaultNode;
beforeAll(() => {
  figures.injected = 0;
});
beforeEach(async () => {
  node = await FaultNode.create();
});
afterEach(async () => {
  await node.dispose();
});
afterAll(() => {
  figures.publish();
});

/** Where a run finds its clocks, against the real ones; in seconds. */
interface Clocks {
  readonly wallS?: number;
  readonly bootS?: number;
  readonly monotonicS?: number;
  /** Another identity of the boot. */
  readonly rebooted?: boolean;
}

/**
 * Runs an executable with other clocks: the clocks of a boot by a time namespace, its identity by
 * a file bound over that of the kernel, the wall clock by a module loaded before.
 */
function at(clocks: Clocks, name: string, args: readonly string[]): Promise<Finished> {
  figures.injected += 1;
  const { wallS = 0, bootS = 0, monotonicS = 0, rebooted = false } = clocks;
  const patch = path.join(node.folder, 'wall-clock.cjs');
  writeFileSync(patch, `const { now } = Date; Date.now = () => now() + ${wallS * 1000};`);
  const boot = path.join(node.folder, 'boot-id');
  writeFileSync(boot, '00000000-1111-2222-3333-444444444444\n');
  const bind = rebooted ? `mount --bind ${boot} /proc/sys/kernel/random/boot_id &&` : '';
  const offsets = [`--boottime=${bootS}`, `--monotonic=${monotonicS}`];
  return run(
    '/usr/bin/unshare',
    [
      ...['--mount', '--time', '--fork', ...offsets, '--', '/bin/sh', '-c', `${bind} exec "$@"`],
      ...['sh', process.execPath, '-r', patch, node.program(name), ...args],
    ],
    { namespace: node.namespace },
  );
}

async function passAt(
  clocks: Clocks,
  service: 'works' | 'fails' = 'works',
  extra: readonly string[] = [],
): Promise<boolean> {
  const { exitCode, stderr } = await at(clocks, 'dns-probe', node.passArgs(service, extra));
  figures.count(`exit ${exitCode}`);
  expect([0, 2], stderr).toContain(exitCode);
  expect(node.remains()).toEqual([]);
  return node.advertised();
}

async function suspend(...extra: string[]): Promise<void> {
  expect(await passAt({})).toBe(true);
  const args = [...node.folderArgs(), 'dns-probe', '--drain', '0s', '--for', '10m', ...extra];
  expect(await at({}, 'ha-suspend', args)).toMatchObject({ exitCode: 0 });
}

const WALL_STEPS: readonly (readonly [string, number])[] = [
  ['a day back', -DAY_S],
  ['a day on', DAY_S],
  ['ten years back', -TEN_YEARS_S],
  ['ten years on', TEN_YEARS_S],
];

describe('a wall clock that steps', () => {
  test.each(WALL_STEPS)('%s: a service stays as it is', async (_, wallS) => {
    expect(await passAt({})).toBe(true);
    expect(await passAt({ wallS })).toBe(true);
    expect(await passAt({}, 'fails')).toBe(false);
    expect(await passAt({ wallS }, 'works', ['--hold-down', '5m'])).toBe(true);
    expect(await passAt({ wallS }, 'fails', ['--hold-down', '5m'])).toBe(false);
    expect(await passAt({}, 'works', ['--hold-down', '5m'])).toBe(false);
  });

  test.each(WALL_STEPS)('%s: a suspension lasts as long as it was meant to', async (_, wallS) => {
    await suspend();
    expect(await passAt({ wallS })).toBe(false);
    expect(await passAt({ wallS, bootS: 9 * MINUTE_S, monotonicS: 9 * MINUTE_S })).toBe(false);
    expect(await passAt({ wallS, bootS: 11 * MINUTE_S, monotonicS: 11 * MINUTE_S })).toBe(true);
  });
});

describe('a machine that slept', () => {
  test('for an hour has slept through a suspension of ten minutes', async () => {
    await suspend();
    expect(await passAt({ bootS: 60 * MINUTE_S })).toBe(true);
  });

  test('longer than the lease withdraws no service that works', async () => {
    expect(await passAt({})).toBe(true);
    expect(await passAt({ bootS: 60 * MINUTE_S })).toBe(true);
    expect(await passAt({ bootS: 61 * MINUTE_S }, 'fails')).toBe(false);
  });

  test('has slept through a hold-down', async () => {
    const hold = ['--hold-down', '5m'];
    expect(await passAt({}, 'works', hold)).toBe(true);
    expect(await passAt({}, 'fails', hold)).toBe(false);
    expect(await passAt({ bootS: 4 * MINUTE_S }, 'works', hold)).toBe(false);
    expect(await passAt({ bootS: 6 * MINUTE_S }, 'works', hold)).toBe(true);
  });

  test('shows the age of the last pass with its sleep', async () => {
    expect(await passAt({})).toBe(true);
    const args = [...node.folderArgs(), '--plugin'];
    expect(await at({}, 'ha-status', args)).toMatchObject({ exitCode: 0 });
    const late = await at({ bootS: 60 * MINUTE_S }, 'ha-status', args);
    expect(late.exitCode).toBeGreaterThan(0);
  });
});

describe('a reboot', () => {
  const REBOOT = { rebooted: true, bootS: -MINUTE_S, monotonicS: -MINUTE_S };

  test('makes a new start: what was before does not count, and no lock stays', async () => {
    expect(await passAt({})).toBe(true);
    await node.namespace.ip('address del 192.0.2.1/32 dev lo');
    expect(await passAt(REBOOT, 'works', ['--rise', '2'])).toBe(false);
    expect(await passAt(REBOOT, 'works', ['--rise', '2'])).toBe(true);
  });

  test('ends a suspension that was not meant to survive it', async () => {
    await suspend();
    expect(await passAt({})).toBe(false);
    expect(await passAt(REBOOT)).toBe(true);
  });

  test('keeps one that was, until its time on the wall clock is over', async () => {
    await suspend('--across-reboot');
    expect(await passAt(REBOOT)).toBe(false);
    expect(await passAt({ ...REBOOT, wallS: 9 * MINUTE_S })).toBe(false);
    expect(await passAt({ ...REBOOT, wallS: 11 * MINUTE_S })).toBe(true);
  });

  test('with a clock that went wrong keeps it, until the clock is right', async () => {
    await suspend('--across-reboot');
    expect(await passAt({ ...REBOOT, wallS: -TEN_YEARS_S })).toBe(false);
    expect(await passAt({ ...REBOOT, wallS: -DAY_S })).toBe(false);
    expect(await passAt({ ...REBOOT, wallS: 11 * MINUTE_S })).toBe(true);
  });
});

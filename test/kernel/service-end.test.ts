import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Finished } from '../support/child.ts';
import { DnsSite } from '../support/dns-site.ts';
import { run } from '../support/executable.ts';

const V4 = '192.0.2.1';
const V6 = '2001:db8::1';
const BOTH = ['-a', V4, '-a', V6];
const ADVERTISED = [`${V4}/32`, `${V6}/128`];

let site: DnsSite;
beforeEach(async () => {
  site = await DnsSite.create();
  await site.advertise(BOTH);
});
afterEach(async () => {
  await site.dispose();
});

const file = (suffix: string): string => path.join(site.stateDir, `dns-probe.${suffix}`);
const shown = (): Promise<string[]> => site.namespace.serviceAddresses();

/** The two commands of the drop-in that ha-guard writes. */
async function note(): Promise<void> {
  const words = 'unbound.service signal KILL';
  const { exitCode } = await site.namespace.exec('/bin/ln', ['-sfT', words, file('ended')]);
  expect(exitCode).toBe(0);
}
async function die(): Promise<void> {
  await note();
  await site.namespace.exec('/sbin/ip', ['-force', '-batch', file('withdraw')]);
}

function node(program: 'ha-suspend' | 'ha-resume', ...args: string[]): Promise<Finished> {
  return run(program, site.args(['dns-probe', '--by', 'guard', ...args]), {
    namespace: site.namespace,
  });
}

describe('a service that ended, as its unit says', () => {
  test('is told by the next pass, counts as one flap, and is back after --rise', async () => {
    await die();
    expect(await shown()).toEqual([]);
    const first = await site.probe(BOTH);
    expect(first).toMatchObject({ exitCode: 0, stdout: '' });
    expect(first.stderr).toBe(
      `dns-probe: down: ${V4}/32 dev lo, ${V6}/128 dev lo is gone from the kernel: unbound.service ended (SIGKILL): withdrawn by systemd\n`,
    );
    expect(await shown()).toEqual([]);
    expect((await site.probe(BOTH)).stderr).toMatch(/^dns-probe: up: advertising /);
    expect(await shown()).toEqual(ADVERTISED);
    expect(site.state().health).toMatchObject({ status: 'up', flaps: 1 });
    expect(await site.probe(BOTH)).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test('and is started again at once is no planned withdrawal: the flap counts', async () => {
    await die();
    expect((await node('ha-suspend')).stderr).toContain('suspended; it was not advertised');
    expect((await node('ha-resume')).exitCode).toBe(0);
    expect((await site.probe(BOTH)).stderr).toContain('withdrawn by systemd');
    expect(site.state().health).toMatchObject({ status: 'down', successes: 1, flaps: 1 });
  });

  test('is not drained where its addresses are still there, for nobody would answer', async () => {
    await note();
    expect((await node('ha-suspend')).exitCode).toBe(0);
    expect(await shown()).toEqual([]);
    expect(await site.drained()).toEqual([]);
    expect(site.state().drain).toBeNull();
  });

  test('after it was suspended has not flapped, though probes saw it work meanwhile', async () => {
    await node('ha-suspend', '--drain', '0s');
    for (let count = 0; count < 2; count++) await site.probe(BOTH);
    expect(site.state().health.status).toBe('up');
    await die();
    await node('ha-resume');
    expect((await site.probe(BOTH)).stderr).toBe('');
    expect(site.state().health).toMatchObject({ status: 'down', successes: 1, flaps: 0 });
  });

  test('is shown by a dry run, which leaves it to the next pass', async () => {
    await die();
    const dry = await site.probe([...BOTH, '--dry-run', '--rise', '1']);
    expect(dry.stdout).toContain(`would change: add ${V4}/32 dev lo`);
    expect(await shown()).toEqual([]);
    expect((await site.probe(BOTH)).stderr).toContain('withdrawn by systemd');
  });

  test('leaves nothing behind once the instance is taken out for good', async () => {
    await die();
    await site.probe([...BOTH, '--withdraw']);
    expect(site.stateFiles()).toEqual([]);
  });
});

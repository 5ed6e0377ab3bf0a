import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Finished } from '../support/child.ts';
import { DnsSite } from '../support/dns-site.ts';
import { run, start } from '../support/executable.ts';

const V4 = '192.0.2.1';
const ADDRESS = ['-a', V4, '--rise', '1'];

let site: DnsSite;
beforeEach(async () => {
  site = await DnsSite.create();
  await site.advertise(ADDRESS);
});
afterEach(async () => {
  await site.dispose();
});

function resume(...args: readonly string[]): Promise<Finished> {
  return run('ha-resume', site.args(args), { namespace: site.namespace });
}

async function suspend(...args: readonly string[]): Promise<void> {
  await run('ha-suspend', site.args([...args, '--drain', '0s']), { namespace: site.namespace });
}

describe('ha-resume', () => {
  test('says when there was nothing to resume, which is no error', async () => {
    expect(await resume('dns-probe')).toEqual({
      exitCode: 0,
      signal: null,
      stdout: '',
      stderr: "ha-resume: dns-probe: was not suspended by 'manual'\n",
    });
  });

  test('ends the suspension of its own holder only', async () => {
    await suspend('dns-probe', '--by', 'alice');
    expect((await resume('dns-probe')).stderr).toContain('still suspended by alice');
    await site.probe(ADDRESS);
    expect(await site.namespace.serviceAddresses()).toEqual([]);
    expect(await resume('dns-probe', '--everyone')).toMatchObject({ exitCode: 0 });
    await site.probe(ADDRESS);
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`]);
  });

  test('with --wait returns when the address is advertised again', async () => {
    await suspend('dns-probe');
    const waiting = await start('ha-resume', site.args(['dns-probe', '--wait', '15s']), {
      namespace: site.namespace,
    });
    let ended = false;
    void waiting.finished.then(() => {
      ended = true;
    });
    await site.probe([...ADDRESS, '--rise', '2']);
    expect(ended).toBe(false);
    await site.probe([...ADDRESS, '--rise', '2']);
    expect(await waiting.finished).toMatchObject({ exitCode: 0, stdout: '' });
  });

  test('with --wait exits 1 when no pass comes, and says why', async () => {
    await suspend('dns-probe');
    const { exitCode, stderr } = await resume('dns-probe', '--wait', '500ms');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('not advertised after 500ms: no pass came since');
  });

  test('with --wait exits 1 when somebody else suspends it', async () => {
    await suspend('dns-probe', '--by', 'alice', '--reason', 'new disk');
    await suspend('dns-probe');
    const { exitCode, stderr } = await resume('dns-probe', '--wait', '500ms');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('still suspended by alice (new disk)');
  });

  test('ends a suspension across reboots too', async () => {
    await suspend('dns-probe', '--across-reboot');
    await site.probe(ADDRESS);
    expect(await site.namespace.serviceAddresses()).toEqual([]);
    await resume('--all');
    await site.probe(ADDRESS);
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`]);
  });

  test('does not know an instance that never ran here', async () => {
    expect(await resume('nothing')).toEqual({
      exitCode: 66,
      signal: null,
      stdout: '',
      stderr: "ha-resume: no instance 'nothing' (known are dns-probe)\n",
    });
  });
});

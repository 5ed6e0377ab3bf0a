import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Daemon } from './daemon.ts';
import { run } from './executable.ts';
import { Namespace } from './namespace.ts';

describe('a namespace of the tests', () => {
  let namespace: Namespace;
  beforeEach(async () => {
    namespace = await Namespace.create();
  });
  afterEach(async () => {
    await namespace.dispose();
  });

  test('has its own lo, whose addresses are read with their leases', async () => {
    expect(await namespace.serviceAddresses()).toEqual([]);
    await namespace.ip('address add 198.51.100.7/32 dev lo valid_lft 300 preferred_lft 300');
    await namespace.ip('-6 address add 2001:db8::7/128 dev lo nodad preferred_lft 0');
    expect(await namespace.serviceAddresses()).toEqual(['198.51.100.7/32', '2001:db8::7/128']);
    const addresses = await namespace.addresses();
    expect(addresses.find(({ address }) => address === '198.51.100.7')).toMatchObject({
      family: 4,
      prefixLength: 32,
      validSeconds: expect.toSatisfy((left: number) => left > 250 && left <= 300) as number,
      flags: ['dynamic'],
    });
    expect(addresses.find(({ address }) => address === '2001:db8::7')).toMatchObject({
      family: 6,
      validSeconds: undefined,
      preferredSeconds: 0,
      flags: expect.arrayContaining(['deprecated']) as string[],
    });
  });

  test('keeps what programs say on each stream, and how they end', async () => {
    const script = 'read line; echo "got $line"; echo "no" >&2; exit 3';
    expect(await namespace.exec('sh', ['-c', script], { input: 'this\n' })).toEqual({
      exitCode: 3,
      signal: null,
      stdout: 'got this\n',
      stderr: 'no\n',
    });
  });

  test('kills what lives too long', async () => {
    const { exitCode, signal } = await namespace.exec('sleep', ['60'], { timeoutMs: 100 });
    expect({ exitCode, signal }).toEqual({ exitCode: null, signal: 'SIGKILL' });
  });

  test('runs a program with a small environment of its own', async () => {
    const { stdout } = await run('/usr/bin/env', [], { namespace, env: { EXTRA: 'yes' } });
    const names = stdout.split('\n').map((line) => line.split('=')[0]);
    expect(names.filter((name) => name !== '').sort()).toEqual([
      'ANYCAST_HA_CONFIG_DIR',
      'ANYCAST_HA_PERSIST_DIR',
      'EXTRA',
      'HOME',
      'LANG',
      'PATH',
    ]);
  });

  test('runs daemons that can be frozen with their workers, ended and started again', async () => {
    const daemon = await Daemon.start({
      namespace,
      program: 'sh',
      args: ['-c', 'echo up; sleep 300 & wait'],
      ready: () => daemonStates(namespace).then((states) => states.length === 2),
    });
    expect(daemon.output).toBe('up\n');
    daemon.freeze();
    expect(new Set(await daemonStates(namespace))).toEqual(new Set(['T']));
    daemon.thaw();
    expect(await daemonStates(namespace)).not.toContain('T');
    await daemon.stop();
    expect(daemon.running).toBe(false);
    await daemon.restart();
    expect(daemon.running).toBe(true);
    await daemon.kill();
    expect(await daemonStates(namespace)).toEqual([]);
  });

  test('says what a daemon printed that does not come up', async () => {
    const start = Daemon.start({
      namespace,
      program: 'sh',
      args: ['-c', 'echo cannot bind >&2; exit 1'],
      ready: () => false,
    });
    await expect(start).rejects.toThrow(/sh ended[^]*cannot bind/);
  });
});

/** The states (proc_pid_stat(5)) of the processes in a namespace. */
async function daemonStates(namespace: Namespace): Promise<string[]> {
  const pids = (await namespace.ip(`netns pids ${namespace.name}`)).trim().split('\n');
  const listed = await namespace.exec('ps', ['-o', 'state=,comm=', '-p', pids.join(',')]);
  return listed.stdout
    .split('\n')
    .filter((line) => /\b(?:sh|sleep)$/.test(line))
    .map((line) => line.trim().charAt(0));
}

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DnsSite } from '../support/dns-site.ts';
import type { Namespace } from '../support/namespace.ts';
import { RouteSite } from '../support/route-site.ts';
import { until } from '../support/until.ts';

const V4 = '192.0.2.1';
const V6 = '2001:db8::1';
const BOTH = ['-a', V4, '-a', V6];

/** What systemd does when the service ends. */
async function takeOut(namespace: Namespace, file: string): Promise<void> {
  await namespace.exec('/sbin/ip', ['-force', '-batch', file]);
}

/** All that the kernel has, but for what changes by itself. */
async function everything(namespace: Namespace): Promise<readonly string[]> {
  const shown = await Promise.all(
    ['-o address show', '-4 route show table all', '-6 route show table all'].map((line) =>
      namespace.ip(line),
    ),
  );
  return shown
    .join('')
    .split('\n')
    .map((line) => line.replace(/(?:valid_lft|preferred_lft|expires) \S+/g, '').trim())
    .filter((line) => line !== '' && !line.includes('fe80::')) // tentative for a while
    .sort();
}

describe('of addresses, the file that takes an instance out', () => {
  let site: DnsSite;
  beforeEach(async () => {
    site = await DnsSite.create();
  });
  afterEach(async () => {
    await site.dispose();
  });

  const file = (instance: string): string => path.join(site.stateDir, `${instance}.withdraw`);

  test.each(['dns-probe', 'a:b', '0', 'x.withdraw', 'y.json', `Z${'_.:-'.repeat(15)}-9`])(
    'leaves nothing of the instance %s, and all of the others',
    async (instance) => {
      await site.namespace.ip('address add 198.51.100.10/32 dev lo');
      await site.namespace.ip('address add 192.0.2.1/24 dev lo');
      await site.namespace.ip('route add 203.0.113.0/24 dev lo proto static');
      await site.advertise(['-i', 'other', '-a', '198.51.100.9', '-a', '2001:db8::9']);
      const before = await everything(site.namespace);
      await site.advertise(['-i', instance, ...BOTH]);
      expect(await everything(site.namespace)).not.toEqual(before);
      await takeOut(site.namespace, file(instance));
      expect(await everything(site.namespace)).toEqual(before);
      await takeOut(site.namespace, file(instance)); // once more does no harm
      expect(await everything(site.namespace)).toEqual(before);
    },
  );

  test('without a lease, too', async () => {
    const before = await everything(site.namespace);
    await site.advertise([...BOTH, '--lease', 'off']);
    await takeOut(site.namespace, file('dns-probe'));
    expect(await everything(site.namespace)).toEqual(before);
  });

  test('ends the drain, and is empty when that is over', async () => {
    const before = await everything(site.namespace);
    await site.advertise(BOTH);
    const long = await site.startProbe([...BOTH, '--withdraw', '--drain', '10m']);
    // --withdraw gives the addresses up: another instance may have them by now.
    await until('the empty file', () => readFileSync(file('dns-probe'), 'utf8') === '');
    expect(await site.drained()).toHaveLength(2);
    long.signal('SIGKILL');
    await long.finished;

    await site.advertise(BOTH);
    const pass = await site.startProbe([...BOTH, '--drain', '10m', '--server', '203.0.113.77']);
    await until('the lock', () => site.stateFiles().includes('dns-probe.lock'));
    pass.signal('SIGTERM');
    await until('the drain', async () => (await site.drained()).length === 2);
    await takeOut(site.namespace, file('dns-probe'));
    expect(await everything(site.namespace)).toEqual(before);
    pass.signal('SIGTERM');
    await pass.finished;
    expect(readFileSync(file('dns-probe'), 'utf8')).toBe('');
  });

  test('says nothing of an address that another instance has taken over', async () => {
    const configure = (instance: string, address: string): string => {
      const config = path.join(site.folder, `${instance}.toml`);
      writeFileSync(config, `rise = 1\naddress = "${address}"\n`);
      return config;
    };
    const a = configure('a', V4);
    await site.probe(['--config', a]);
    configure('a', V6);
    await site.probe(['--config', configure('b', V4)]);
    await takeOut(site.namespace, file('a'));
    expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`]);
    await takeOut(site.namespace, file('b'));
    expect(await site.namespace.serviceAddresses()).toEqual([]);
  });

  test('is there, and of use, after somebody emptied the state folder', async () => {
    await site.advertise(BOTH);
    await site.namespace.exec('rm', ['-r', site.stateDir]);
    await site.probe(BOTH);
    await takeOut(site.namespace, file('dns-probe'));
    expect(await site.namespace.serviceAddresses()).toEqual([]);
  });

  test('makes no pass start a process that would start none', async () => {
    await site.advertise(BOTH);
    const trace = path.join(site.folder, 'trace');
    const words = ['-f', '-e', 'trace=execve,openat,rename', '-o', trace];
    const { namespace } = site;
    const program = path.resolve(import.meta.dirname, '../../dist/dns-probe');
    const args = [...words, process.execPath, program, ...site.args(BOTH)];
    expect((await namespace.exec('strace', args)).exitCode).toBe(0);
    const calls = readFileSync(trace, 'utf8').split('\n');
    expect(calls.filter((call) => call.includes('execve('))).toHaveLength(1);
    const about = calls.filter((call) => call.includes('dns-probe.withdraw'));
    expect(about).toHaveLength(1);
    expect(about[0]).toContain('O_RDONLY');
  });
});

describe('of a host route, the file that takes an instance out', () => {
  let site: RouteSite;
  beforeEach(async () => {
    site = await RouteSite.create(['192.0.2.153', '2001:db8::153']);
    await site.listen('80');
  });
  afterEach(async () => {
    await site.dispose();
  });

  const GATEWAY = ['--via', '198.18.0.2', '--table', '100', '--metric', '7'];

  test.each([
    ['192.0.2.153', []],
    ['2001:db8::153', []],
    ['192.0.2.153', GATEWAY],
    ['2001:db8::153', ['--via', '2001:db8:f::2', '--metric', '512']],
  ] as const)('deletes ours to %s %j, and nobody else’s', async (address, options) => {
    // The same prefix by others: another protocol, another metric, another table.
    for (const line of [
      `route add ${address} dev bond0 proto static metric 4000`,
      `route add ${address} dev bond0 proto static table 200`,
    ]) {
      await site.node.ip(line);
    }
    const before = await everything(site.node);
    const args = ['--rise', '1', ...options, 'bond0', address, '80'];
    await site.node.ip(`route del ${address} dev bond0 proto static metric 4000`);
    expect(await site.probe(args)).toMatchObject({ exitCode: 0 });
    await site.node.ip(`route add ${address} dev bond0 proto static metric 4000`);
    expect(await everything(site.node)).not.toEqual(before);
    const file = `${site.stateDir}/tcp-route-probe-${address}.withdraw`;
    await takeOut(site.node, file);
    expect(await everything(site.node)).toEqual(before);
  });

  test('has it as the latest configuration wants it', async () => {
    const target = ['bond0', '192.0.2.153', '80'];
    const file = `${site.stateDir}/tcp-route-probe-192.0.2.153.withdraw`;
    await site.probe(['--rise', '1', ...target]);
    await site.probe(['--rise', '1', '--metric', '9', ...target]);
    expect(readFileSync(file, 'utf8')).toBe(
      'route del 192.0.2.153/32 dev bond0 table 254 metric 9 proto 121\n',
    );
    await takeOut(site.node, file);
    expect(await site.routes('192.0.2.153')).toEqual([]);
  });
});

import { drainInterfaces } from '../../../src/lib/advertise/drain-interface.ts';
import { describe, expect, test } from 'vitest';
import { loadInstance, type LoadedInstance } from '../../../src/lib/cli/load-instance.ts';
import { list } from '../../../src/lib/options/option.ts';
import type { ProbeProgram } from '../../../src/lib/probe/probe-program.ts';
import { argumentSource } from '../../../src/lib/options/resolve-options.ts';
import { ipAddress } from '../../../src/lib/options/value-parsers.ts';
import { up } from '../../../src/lib/probe/probe.ts';
import { ConfigurationError, UsageError } from '../../../src/lib/system/errors.ts';
import { recordedLog } from '../../support/recorded-log.ts';

const table = { server: list(ipAddress, { describe: 'whom', default: ['127.0.0.1'] }) };

const program: ProbeProgram<typeof table, readonly string[]> = {
  name: 'sample-probe',
  summary: 'Asks nobody.',
  table,
  examples: [],
  prepare: ({ server }, { positional }) => {
    if (positional.length > 0) throw new UsageError('takes no operands');
    return { options: server.map(({ text }) => text), targets: server };
  },
  probe: (servers, { instance }) => Promise.resolve(up(`${instance ?? '?'} ${servers.join(' ')}`)),
};

function load(
  texts: Readonly<Record<string, readonly string[]>> = {},
  path: string | null = null,
  positional: readonly string[] = [],
): LoadedInstance {
  const source = argumentSource(new Map(Object.entries(texts)));
  const from = { path, sources: [source], operands: { positional, rest: [] } };
  const none = (): never => {
    throw new Error('the kernel is not to be touched');
  };
  return loadInstance(program, from, {
    ...{ listInterfaces: () => ({}), batch: none, readRoutes: none },
    drainInterfaces: drainInterfaces(none),
  });
}

describe('an instance', () => {
  test('without a flag only probes, with the documented defaults', async () => {
    const { options, probe, advertiser, onChange, metricsDir } = load();
    expect(options).toEqual({
      instance: 'sample-probe',
      source: null,
      places: [],
      mode: 'pass',
      rise: 2,
      fall: 2,
      holdDownMs: 0,
      holdDownMaxMs: 300_000,
      timeoutMs: 1000,
      attempts: 2,
      retryDelayMs: 200,
      leaseMs: 300_000,
      drainMs: 10_000,
      drainInterface: 'ha-drain',
      stateDir: '/run/anycast-ha',
      persistDir: '/var/lib/anycast-ha',
      lockWaitMs: 2000,
      advice: [],
    });
    expect({ kind: advertiser.kind, onChange, metricsDir }).toEqual({ kind: 'address' });
    const { signal } = new AbortController();
    expect(
      await probe({ signal, log: recordedLog(), health: undefined, command: undefined }),
    ).toEqual(up('sample-probe 127.0.0.1'));
  });

  test('has its addresses once each, on its interface', () => {
    const given = {
      address: ['198.51.100.1', '2001:DB8::1', '198.51.100.1/32'],
      interface: ['lo1'],
    };
    expect(load(given).options.places).toEqual([
      { address: '198.51.100.1', interface: 'lo1' },
      { address: '2001:db8::1', interface: 'lo1' },
    ]);
  });

  test('is named by its flag, else by its file, else by the program', () => {
    expect(load({ instance: ['mine'] }, '/etc/dns.toml').options.instance).toBe('mine');
    expect(load({}, '/etc/dns.toml').options.instance).toBe('dns');
    expect(load({}, '/etc/dns.toml').options.source).toBe('/etc/dns.toml');
    expect(() => load({}, '/etc/a b.toml')).toThrow(ConfigurationError);
    expect(() => load({}, '/etc/a b.toml')).toThrow("'a b' is no instance name");
  });

  test('has a mode', () => {
    expect(load({ 'dry-run': ['true'] }).options.mode).toBe('dry-run');
    expect(load({ withdraw: ['true'] }).options.mode).toBe('withdraw');
    expect(load({ once: ['true'] }).options.mode).toBe('pass');
    expect(load({ lease: ['off'] }).options.leaseMs).toBeUndefined();
  });
});

describe('a mistake', () => {
  test.each([
    [{ 'hold-down': ['10m'] }, 'longer than --hold-down-max'],
    [{ withdraw: ['true'], 'dry-run': ['true'] }, 'cannot be combined'],
    [{ address: ['127.0.0.1'] }, 'cannot be a service address'],
    [{ address: ['198.51.100.1'], server: ['198.51.100.1'] }, 'must not ask 198.51.100.1'],
    [{ address: ['2001:db8::1'], server: ['2001:DB8:0::1'] }, 'must not ask 2001:db8::1'],
  ])('%j is one of usage on the command line', (given, message) => {
    expect(() => load(given)).toThrow(UsageError);
    expect(() => load(given)).toThrow(message);
  });

  test('that a file holds is one of the configuration, and names the file', () => {
    const given = { 'hold-down': ['10m'] };
    expect(() => load(given, '/etc/dns.toml')).toThrow(ConfigurationError);
    expect(() => load(given, '/etc/dns.toml')).toThrow(/^\/etc\/dns\.toml: /);
    expect(() => load({}, '/etc/dns.toml', ['x'])).toThrow(ConfigurationError);
  });
});

test('a target that is not of this node is doubted only where addresses are managed', () => {
  const foreign = { server: ['203.0.113.7', '127.0.0.5', '::1'] };
  expect(load(foreign).options.advice).toEqual([]);
  const { advice } = load({ ...foreign, address: ['198.51.100.1'] }).options;
  expect(advice.map(({ key }) => key)).toEqual(['foreign-target 203.0.113.7']);
});

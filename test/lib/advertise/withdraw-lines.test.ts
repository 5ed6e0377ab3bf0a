import { describe, expect, test } from 'vitest';
import { drainWithdrawLines, withdrawLines } from '../../../src/lib/advertise/withdraw-lines.ts';

const V4 = { address: '192.0.2.1', interface: 'lo' };
const V6 = { address: '2001:db8::1', interface: 'lo' };

describe('the lines that take places out', () => {
  test('name the interface of each address, and the route that the kernel leaves of an IPv6 one', () => {
    expect(withdrawLines('address', [V4, V6])).toEqual([
      'addr del 192.0.2.1/32 dev lo',
      'addr del 2001:db8::1/128 dev lo',
      'route del 2001:db8::1/128 dev lo table main proto kernel metric 256',
    ]);
  });

  test('name all that tells a route of ours apart', () => {
    const far = { address: '192.0.2.1', interface: 'eth1' };
    const options = { route: { table: '254', via: undefined }, metricOf: () => 0 };
    expect(withdrawLines('route', [far], options)).toEqual([
      'route del 192.0.2.1/32 dev eth1 table 254 metric 0 proto 121',
    ]);
    const gateway = { route: { table: '100', via: 'fe80::1' }, metricOf: () => 1024 };
    expect(withdrawLines('route', [{ ...V6, interface: 'eth1' }], gateway)).toEqual([
      'route del 2001:db8::1/128 via fe80::1 dev eth1 table 100 metric 1024 proto 121',
    ]);
  });

  test('are none where nothing is advertised', () => {
    expect(withdrawLines('address', [])).toEqual([]);
    expect(withdrawLines('route', [])).toEqual([]);
  });
});

describe('the lines that end a drain', () => {
  test('take out the address on the drain interface and our local route, and no route of the kernel', () => {
    expect(drainWithdrawLines(['192.0.2.1'], 'ha-drain')).toEqual([
      'addr del 192.0.2.1/32 dev ha-drain',
      'route del local 192.0.2.1 dev lo table local proto 120 metric 1',
    ]);
    expect(drainWithdrawLines(['2001:db8::1'], 'ha-drain')).toEqual([
      'addr del 2001:db8::1/128 dev ha-drain',
      'route del 2001:db8::1/128 dev ha-drain table main proto kernel metric 256',
      'route del local 2001:db8::1 dev lo table local proto 120 metric 1',
    ]);
  });

  test('name another drain interface, or none', () => {
    expect(drainWithdrawLines(['192.0.2.1'], 'spare0')[0]).toBe('addr del 192.0.2.1/32 dev spare0');
    expect(drainWithdrawLines(['192.0.2.1'], undefined)).toEqual([
      'route del local 192.0.2.1 dev lo table local proto 120 metric 1',
    ]);
  });
});

import { describe, expect, test } from 'vitest';
import { readOspfTimers } from '../../../src/lib/advertise/ospf-timers.ts';
import type { CommandResult, RunCommand } from '../../../src/lib/system/command.ts';

/** What FRR 8.4.4 printed on a node with `network 192.0.2.1/32 area 0.0.0.1`, shortened. */
const PRINTED: Readonly<Record<string, string>> = {
  'show ip ospf json': `{
    "routerId":"198.51.100.2", "tosRoutesOnly":true, "rfc2328Conform":true,
    "spfScheduleDelayMsecs":200, "holdtimeMinMsecs":1000, "holdtimeMaxMsecs":10000,
    "holdtimeMultplier":2, "spfLastExecutedMsecs":5688, "areas":{"0.0.0.0":{"backbone":true}}
  }`,
  'show ip ospf database summary self-originate json': `{ "routerId": "198.51.100.2",
    "Summary Link States": {
      "0.0.0.0": { "192.0.2.1": { "lsaAge": 7, "lsaType": "summary-LSA", "networkMask": 32 } },
      "0.0.0.1": { "198.51.100.0": { "lsaAge": 7, "lsaType": "summary-LSA", "networkMask": 30 } }
    } }`,
  'show ipv6 ospf6 json': `{
    "routerId":"198.51.100.2", "running":"00:00:24", "lsaMinimumArrivalMsecs":1000,
    "spfScheduleDelayMsecs":100, "holdTimeMinMsecs":2000, "holdTimeMaxMsecs":10000
  }`,
};

const OF_VERSION_2 = {
  family: 4,
  delayMs: 200,
  holdMs: 1000,
  interArea: new Set(['192.0.2.1', '198.51.100.0']),
};
const OF_VERSION_3 = { family: 6, delayMs: 100, holdMs: 2000, interArea: new Set() };

function vtysh(
  printed: Readonly<Record<string, string>>,
  more?: Partial<CommandResult>,
): RunCommand {
  return (file, [flag, command = ''], { timeoutMs }) => {
    expect([file, flag]).toEqual(['vtysh', '-c']);
    expect(timeoutMs).toBeLessThanOrEqual(5000);
    const stdout = printed[command] ?? '';
    return Promise.resolve({ exitCode: 0, stdout, stderr: '', failure: undefined, ...more });
  };
}

describe('the timers of OSPF on this node', () => {
  test('are what FRR tells, with the inter-area routes', async () => {
    expect(await readOspfTimers(vtysh(PRINTED))).toEqual([OF_VERSION_2, OF_VERSION_3]);
  });

  test('are known of the version that runs', async () => {
    const { 'show ipv6 ospf6 json': version3 = '', ...version2 } = PRINTED;
    expect(await readOspfTimers(vtysh(version2))).toEqual([OF_VERSION_2]);
    expect(await readOspfTimers(vtysh({ 'show ipv6 ospf6 json': version3 }))).toEqual([
      OF_VERSION_3,
    ]);
  });

  test.each([
    ['there is no vtysh', vtysh({}, { exitCode: undefined, failure: 'vtysh could not be run' })],
    ['vtysh fails', vtysh(PRINTED, { exitCode: 1 })],
    ['OSPF is not configured', vtysh({ 'show ip ospf json': '{}', 'show ipv6 ospf6 json': '{}' })],
    ['nothing is printed', vtysh({})],
    ['a number is none', vtysh({ 'show ip ospf json': '{"spfScheduleDelayMsecs":"soon"}' })],
    ['it is no JSON', vtysh({ 'show ip ospf json': '% OSPF instance not found' })],
  ])('are unknown when %s', async (_, run) => {
    expect(await readOspfTimers(run)).toEqual([]);
  });
});

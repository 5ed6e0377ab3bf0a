import { describe, expect, test } from 'vitest';
import { addressAdvertiser, batchLines } from '../../../src/lib/advertise/address-advertiser.ts';
import type { Change, Failure } from '../../../src/lib/advertise/advertiser.ts';
import { addDrainRoute, deleteDrainRoute } from '../../../src/lib/advertise/drain-routes.ts';
import { FOREVER_S, readInterfaceWithIp } from '../../../src/lib/advertise/kernel-addresses.ts';
import type { CommandResult, RunCommand } from '../../../src/lib/system/command.ts';
import { KernelError } from '../../../src/lib/system/errors.ts';

const A4: Change['place'] = { address: '198.51.100.1', interface: 'lo' };
const A6: Change['place'] = { address: '2001:db8::1', interface: 'lo' };

describe('the line for ip', () => {
  test.each([
    ['add', A4, 'addr replace 198.51.100.1/32 dev lo valid_lft 300 preferred_lft 300'],
    ['renew', A4, 'addr replace 198.51.100.1/32 dev lo valid_lft 300 preferred_lft 300'],
    ['add', A6, 'addr replace 2001:db8::1/128 dev lo valid_lft 300 preferred_lft 0 nodad'],
    ['remove', A4, 'addr del 198.51.100.1/32 dev lo'],
    ['remove', A6, 'addr del 2001:db8::1/128 dev lo'],
    ['drain', A4, 'route replace local 198.51.100.1 dev lo table local proto 120 metric 1'],
    ['end-drain', A6, 'route del local 2001:db8::1 dev lo table local proto 120 metric 1'],
  ] as const)('that does %s', (verb, place, line) => {
    expect(batchLines({ verb, place }, 300_000)[0]).toBe(line);
  });

  test('without a lease puts an address in for ever', () => {
    expect(batchLines({ verb: 'add', place: A4 }, undefined)[0]).toBe(
      'addr replace 198.51.100.1/32 dev lo valid_lft forever preferred_lft forever',
    );
  });

  test('always names protocol and metric of a drain route', () => {
    for (const line of [addDrainRoute('198.51.100.1'), deleteDrainRoute('198.51.100.1')]) {
      expect(line).toContain('table local proto 120 metric 1');
    }
  });
});

function answer(stdout: string, rest: Partial<CommandResult> = {}): CommandResult {
  return { exitCode: 0, stdout, stderr: '', failure: undefined, ...rest };
}

/** `ip` that shows these addresses on lo, with the seconds each has left. */
function ipShowing(addresses: Readonly<Record<string, number>>): RunCommand {
  const addr_info = Object.entries(addresses).map(([local, seconds]) => ({
    local,
    prefixlen: local.includes(':') ? 128 : 32,
    valid_life_time: seconds,
  }));
  const link = [{ ifname: 'lo', flags: ['LOOPBACK', 'UP'], addr_info }];
  return (_, args) => Promise.resolve(answer(args.includes('addr') ? JSON.stringify(link) : '[]'));
}

async function apply(
  shown: Readonly<Record<string, number>>,
  changes: readonly Change[],
  refusals: readonly (string | undefined)[] = [],
  leaseMs: number | 'off' = 300_000,
): Promise<readonly Failure[]> {
  const batch = (): Promise<readonly (string | undefined)[]> => Promise.resolve(refusals);
  return addressAdvertiser(ipShowing(shown), batch).apply(
    changes,
    leaseMs === 'off' ? undefined : leaseMs,
  );
}

test("a drain route of IPv6 stays until the kernel's own route is there, which it makes a moment later", async () => {
  const done: string[] = [];
  let looks = 0;
  const run: RunCommand = (_, args) => {
    if (args.includes('addr')) {
      const addr_info = [{ local: A6.address, prefixlen: 128, valid_life_time: 300 }];
      return Promise.resolve(answer(JSON.stringify([{ ifname: 'lo', flags: ['UP'], addr_info }])));
    }
    if (!args.includes('kernel')) return Promise.resolve(answer('[]'));
    looks += 1;
    done.push(`look ${looks}`);
    return Promise.resolve(answer(looks < 3 ? '[]' : JSON.stringify([{ dst: A6.address }])));
  };
  const batch = (lines: readonly string[]): Promise<undefined[]> => {
    done.push(...lines.map((line) => line.split(' ').slice(0, 3).join(' ')));
    return Promise.resolve(lines.map(() => undefined));
  };
  const failures = await addressAdvertiser(run, batch).apply(
    [
      { verb: 'add', place: A6 },
      { verb: 'add', place: A4 },
      { verb: 'end-drain', place: A6 },
      { verb: 'end-drain', place: A4 },
    ],
    300_000,
  );
  expect(done).toEqual([
    'addr replace 2001:db8::1/128',
    'addr replace 198.51.100.1/32',
    'route del local',
    'look 1',
    'look 2',
    'look 3',
    'route del local',
  ]);
  expect(failures.map(({ change }) => change.place)).toEqual([A4]); // never shown here
});

describe('read back', () => {
  test('what is as it should be is no failure', async () => {
    expect(await apply({ '198.51.100.1': 300 }, [{ verb: 'add', place: A4 }])).toEqual([]);
    expect(await apply({}, [{ verb: 'remove', place: A4 }])).toEqual([]);
  });

  test('each difference is told', async () => {
    const failures = await apply({ '2001:db8::1': FOREVER_S }, [
      { verb: 'add', place: A4 },
      { verb: 'renew', place: A6 },
      { verb: 'remove', place: A6 },
      { verb: 'drain', place: A4 },
    ]);
    expect(failures.map(({ message }) => message)).toEqual([
      'the kernel took it, but the address is not there',
      'the kernel took it, but it stays for ever in place of 300 s',
      'the kernel took it, but the address is still there',
      'the kernel took it, but the drain route is not there',
    ]);
  });

  test('a longer life than was asked for is a difference', async () => {
    const failures = await apply({ '198.51.100.1': 900 }, [{ verb: 'renew', place: A4 }]);
    expect(failures[0]?.message).toContain('it stays for 900 s in place of 300 s');
    expect(
      await apply({ '198.51.100.1': FOREVER_S }, [{ verb: 'renew', place: A4 }], [], 'off'),
    ).toEqual([]);
  });

  test('a refusal counts only where it shows: what is gone already is no failure', async () => {
    const refusal = 'RTNETLINK answers: Cannot assign requested address';
    expect(await apply({}, [{ verb: 'remove', place: A4 }], [refusal])).toEqual([]);
    expect(await apply({}, [{ verb: 'end-drain', place: A4 }], ['No such process'])).toEqual([]);
    expect(await apply({}, [{ verb: 'add', place: A4 }], [refusal])).toMatchObject([
      { message: refusal, notPermitted: false },
    ]);
  });

  test('a lack of permission is known as such', async () => {
    const refusal = 'RTNETLINK answers: Operation not permitted';
    expect(await apply({}, [{ verb: 'add', place: A4 }], [refusal])).toMatchObject([
      { message: refusal, notPermitted: true },
    ]);
  });
});

describe('what ip prints of an interface', () => {
  const read = (result: CommandResult): ReturnType<typeof readInterfaceWithIp> =>
    readInterfaceWithIp(() => Promise.resolve(result), 'lo');

  test('are its host prefixes, with the seconds each has left', async () => {
    // As iproute2 6.1 prints it: an interface that was filtered out is an empty object.
    const printed = JSON.stringify([
      {},
      {
        ifname: 'lo',
        flags: ['LOOPBACK'],
        addr_info: [
          { local: '127.0.0.1', prefixlen: 8, valid_life_time: FOREVER_S },
          { local: '198.51.100.1', prefixlen: 32, valid_life_time: 17 },
          { local: '2001:db8::1', prefixlen: 128, valid_life_time: FOREVER_S },
          {},
        ],
      },
    ]);
    const { link, addresses } = await read(answer(printed));
    expect(link).toBe('down');
    expect([...addresses]).toEqual([
      ['198.51.100.1', 17],
      ['2001:db8::1', FOREVER_S],
    ]);
  });

  test('may be that there is no such interface', async () => {
    const stderr = 'Device "lo" does not exist.';
    expect((await read(answer('', { exitCode: 1, stderr }))).link).toBe('absent');
  });

  test.each(['', '{', 'null', '[]', '[{}]', '[{"ifname":7}]'])('%j is an error', async (stdout) => {
    await expect(read(answer(stdout))).rejects.toThrow(KernelError);
  });

  test('is an error where ip fails otherwise', async () => {
    const failed = read(answer('', { exitCode: undefined, failure: 'ip could not be run' }));
    await expect(failed).rejects.toThrow('ip could not be run');
  });
});

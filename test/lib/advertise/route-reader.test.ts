import { describe, expect, test } from 'vitest';
import { routeReader, type RouteQuery } from '../../../src/lib/advertise/kernel-routes.ts';
import type { CommandResult, RunCommand } from '../../../src/lib/system/command.ts';
import { KernelError } from '../../../src/lib/system/errors.ts';

const ROUTE = '{"dst":"192.0.2.153","dev":"bond0","protocol":"121","flags":[]}';
const LINK = '[{"ifname":"bond0","flags":["BROADCAST","UP"]}]';

function query(address = '192.0.2.153'): RouteQuery {
  return { address, interface: 'bond0', source: undefined };
}

/** An `ip` that always says the same, and remembers what it was asked. */
function ip(result: Partial<CommandResult>): { run: RunCommand; inputs: string[] } {
  const inputs: string[] = [];
  const whole = { exitCode: 0, stdout: '', stderr: '', failure: undefined, ...result };
  return {
    inputs,
    run: (_file, _args, { input }) => {
      inputs.push(String(input));
      return Promise.resolve(whole);
    },
  };
}

describe('the reader of routes', () => {
  test('matches answers to questions over lines that fail', async () => {
    const stderr = [
      'Device "bond0" does not exist.',
      'Command failed -:2',
      'RTNETLINK answers: Network is unreachable',
      'Command failed -:3',
    ].join('\n');
    const stdout = ['[]', `[${ROUTE}]`, LINK, '[{"dst":"192.0.2.9","dev":"eth0"}]'].join('\n');
    const { run } = ip({ exitCode: 1, stderr, stdout });
    expect(await routeReader(run, 0)([query(), query('192.0.2.9')])).toEqual([
      { routes: [], link: 'absent', pathInterface: undefined },
      {
        routes: [
          {
            protocol: 121,
            isBehind: false,
            table: '254',
            device: 'bond0',
            gateway: undefined,
            metric: 0,
            source: undefined,
          },
        ],
        link: 'up',
        pathInterface: 'eth0',
      },
    ]);
  });

  test('takes the next hops of an IPv6 route apart, of which only the first has its protocol shown', async () => {
    const hops = '[{"gateway":"fe80::1","dev":"bond0"},{"gateway":"fe80::2","dev":"bond1"}]';
    const route = `{"dst":"2001:db8::1","protocol":"121","metric":1024,"nexthops":${hops}}`;
    const { run } = ip({ stdout: [`[${route}]`, LINK, '[]'].join('\n') });
    const [found] = await routeReader(run, 0)([query('2001:db8::1')]);
    expect(found?.routes).toMatchObject([
      { gateway: 'fe80::1', device: 'bond0', protocol: 121, metric: 1024, isBehind: false },
      { gateway: 'fe80::2', device: 'bond1', metric: 1024, isBehind: true },
    ]);
  });

  test('starts one process for all that is asked within its window', async () => {
    const stdout = Array.from({ length: 3 }, () => ['[]', LINK, '[]'].join('\n')).join('\n');
    const { run, inputs } = ip({ stdout });
    const read = routeReader(run, 10);
    const answers = await Promise.all([read([query()]), read([query(), query('192.0.2.9')])]);
    expect(answers.map(({ length }) => length)).toEqual([1, 2]);
    expect(inputs).toHaveLength(1);
    expect(inputs[0]?.trim().split('\n')).toHaveLength(9);
  });

  test('asks nothing for nothing', async () => {
    const { run, inputs } = ip({});
    expect(await routeReader(run, 0)([])).toEqual([]);
    expect(inputs).toEqual([]);
  });

  test.each([
    ['ip could not be run', { exitCode: undefined, failure: 'ip could not be run (ENOENT)' }],
    ['ip prints nothing', { stdout: '' }],
    ['ip prints no JSON', { stdout: 'a\nb\nc' }],
    ['ip prints other JSON', { stdout: '[{"dst":1}]\n[]\n[]' }],
    [
      'the routes cannot be read',
      { exitCode: 1, stderr: 'Dump terminated\nCommand failed -:1', stdout: `${LINK}\n[]` },
    ],
    [
      'the link cannot be read',
      { exitCode: 1, stderr: 'Cannot send\nCommand failed -:2', stdout: '[]\n[]' },
    ],
  ])('throws when %s', async (_, result) => {
    await expect(routeReader(ip(result).run, 0)([query()])).rejects.toThrow(KernelError);
  });
});

import { describe, expect, test } from 'vitest';
import {
  prepareTcpRoute,
  tcpRouteOptions,
} from '../../../../src/lib/probe/tcp-route/tcp-route-options.ts';
import { UsageError } from '../../../../src/lib/system/errors.ts';
import { optionValues } from '../../../support/option-values.ts';

function prepare(
  positional: readonly string[],
  given: Readonly<Record<string, readonly string[]>> = {},
): ReturnType<typeof prepareTcpRoute> {
  return prepareTcpRoute(optionValues(tcpRouteOptions, given), { positional, rest: [] });
}

const ADDRESS = { family: 4, text: '192.0.2.153' };

describe('the options of tcp-route-probe', () => {
  test('take interface, address and ports as arguments', () => {
    expect(prepare(['bond0', '192.0.2.153', '80', '443', '80'])).toEqual({
      options: {
        address: ADDRESS,
        ports: [80, 443],
        require: 'all',
        source: undefined,
        stayMs: undefined,
      },
      targets: [],
      route: {
        address: ADDRESS,
        interface: 'bond0',
        options: {
          metric: undefined,
          table: '254',
          via: undefined,
          src: undefined,
          source: undefined,
        },
      },
    });
  });

  test('say the same as the arguments', () => {
    const given = { interface: ['bond0'], address: ['192.0.2.153'], port: ['80', '443'] };
    expect(prepare([], given)).toEqual(prepare(['bond0', '192.0.2.153', '80', '443']));
  });

  test('take the arguments also behind --', () => {
    const values = optionValues(tcpRouteOptions);
    const rest = ['bond0', '192.0.2.153', '80'];
    expect(prepareTcpRoute(values, { positional: [], rest })).toEqual(prepare(rest));
  });

  test('say how the route is made', () => {
    const given = {
      via: ['198.51.100.1'],
      src: ['198.51.100.2'],
      source: ['198.51.100.3'],
      stay: ['300ms'],
      metric: ['4294967295'],
      table: ['100'],
      require: ['any'],
    };
    expect(prepare(['bond0', '192.0.2.153', '80'], given)).toMatchObject({
      options: { require: 'any', source: { text: '198.51.100.3' }, stayMs: 300 },
      route: {
        options: {
          via: '198.51.100.1',
          src: '198.51.100.2',
          source: '198.51.100.3',
          metric: 4_294_967_295,
          table: '100',
        },
      },
    });
  });

  test.each([
    ['no port', ['bond0', '192.0.2.153'], {}, 'missing'],
    ['nothing', [], {}, 'interface is missing'],
    ['only some of the options', [], { interface: ['bond0'], address: ['192.0.2.1'] }, 'port is'],
    ['a name', ['bond0', 'www.example', '80'], {}, 'ADDR: '],
    ['a loopback address', ['bond0', '127.0.0.1', '80'], {}, 'ADDR: '],
    ['a port beyond', ['bond0', '192.0.2.153', '80', '65536'], {}, 'PORT: '],
    ['no interface name', ['bond/0', '192.0.2.153', '80'], {}, 'DEV: '],
    ['both', ['bond0', '192.0.2.153', '80'], { port: ['443'] }, '--port: does not go with'],
    ['two families', ['bond0', '192.0.2.153', '80'], { via: ['2001:db8::1'] }, '--via: '],
  ])('refuse %s', (_, positional, given: Readonly<Record<string, readonly string[]>>, message) => {
    const refused = (): unknown => prepare(positional, given);
    expect(refused).toThrow(UsageError);
    expect(refused).toThrow(message);
  });

  test.each([
    ['table', '255'],
    ['table', '0'],
    ['table', '4294967296'],
    ['metric', '0'],
    ['metric', '-1'],
  ])('refuse --%s %s', (name, text) => {
    expect(() => optionValues(tcpRouteOptions, { [name]: [text] })).toThrow(RangeError);
  });
});

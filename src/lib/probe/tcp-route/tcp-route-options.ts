import type { TcpConnectOptions } from './tcp-route-probe.ts';
import { UsageError } from '../../system/errors.ts';
import type { IpAddress } from '../../system/ip-address.ts';
import {
  list,
  optional,
  value,
  type OptionTable,
  type ValueParser,
  type Values,
} from '../../options/option.ts';
import type { Prepared } from '../probe-program.ts';
import type { Operands } from '../../options/parse-arguments.ts';
import {
  interfaceName,
  ipAddress,
  oneOf,
  positiveDuration,
  serviceAddress,
  wholeNumber,
} from '../../options/value-parsers.ts';

const ROUTE = 'Route';
const port = Object.assign(wholeNumber(1, 65_535), { metavar: 'PORT' });

/** Numbers of the kernel's 32 bits. */
function uint32(name: string, given: string): number {
  const number = /^\d{1,10}$/.test(given) ? Number(given) : Number.NaN;
  if (!(number >= 1 && number < 2 ** 32)) {
    throw new RangeError(`'${given}' is no ${name} (a whole number from 1 to 4294967295)`);
  }
  return number;
}

const metric: ValueParser<number> = Object.assign((given: string) => uint32('metric', given), {
  metavar: 'N',
});

/** The number of a routing table; the kernel keeps the local table (255) itself. */
const table: ValueParser<string> = Object.assign(
  (given: string) => {
    if (given === 'main') return '254';
    if (given === '255') throw new RangeError("the local table is the kernel's own");
    return String(uint32('table', given));
  },
  { metavar: 'N' },
);

/** The options that tcp-route-probe has beside those of every probe. */
export const tcpRouteOptions = {
  port: list(port, {
    describe: 'Port that has to be open: the same as PORT. Repeatable.',
  }),
  require: value(oneOf('all', 'any'), {
    default: 'all',
    describe: 'Whether every port has to be open, or one is enough.',
  }),
  source: optional(ipAddress, {
    describe: 'Address of this node to ask from.',
    defaultNote: "the kernel's choice",
  }),
  stay: optional(positiveDuration, {
    describe:
      'Keep the connections open for so long; one that is reset meanwhile is a failure. Shorter than --timeout.',
  }),
  interface: optional(interfaceName, {
    group: ROUTE,
    describe: 'Interface of the route: the same as DEV.',
  }),
  address: optional(serviceAddress, {
    group: ROUTE,
    alias: 'a',
    describe: 'Address to ask and to route: the same as ADDR.',
  }),
  via: optional(ipAddress, {
    group: ROUTE,
    describe: 'Gateway of the route; none if not given.',
  }),
  metric: optional(metric, {
    group: ROUTE,
    describe: "Metric of the route; the kernel's own if not given, 0 for IPv4 and 1024 for IPv6.",
  }),
  table: value(table, {
    group: ROUTE,
    default: 'main',
    describe: 'Routing table of the route: a number, or main.',
  }),
  src: optional(ipAddress, {
    group: ROUTE,
    describe: 'Source address that the route gives to packets of this node; none if not given.',
  }),
} as const satisfies OptionTable;

/**
 * What is to be asked, and the route that depends on it.
 *
 * @param operands `DEV ADDR PORT...`, or nothing where options say the same
 * @throws UsageError
 */
export function prepareTcpRoute(
  values: Values<typeof tcpRouteOptions>,
  operands: Operands,
): Prepared<TcpConnectOptions> {
  const { device, address, ports } = targetOf(values, operands);
  const { source, via, src } = values;
  for (const [name, other] of Object.entries({ source, via, src })) {
    if (other === undefined || other.family === address.family) continue;
    throw new UsageError(`--${name}: ${other.text} and ${address.text} are of different families`);
  }
  return {
    options: { address, ports, require: values.require, source, stayMs: values.stay },
    targets: [],
    route: {
      address,
      interface: device,
      options: {
        metric: values.metric,
        table: values.table,
        via: via?.text,
        src: src?.text,
        source: source?.text,
      },
    },
  };
}

interface Target {
  readonly device: string;
  readonly address: IpAddress;
  readonly ports: readonly number[];
}

function targetOf(values: Values<typeof tcpRouteOptions>, { positional, rest }: Operands): Target {
  const { interface: device, address, port: ports } = values;
  const given = [...positional, ...rest];
  if (given.length > 0) {
    const twice = Object.entries({ interface: device, address, port: ports[0] }).find(
      ([, option]) => option !== undefined,
    );
    if (twice !== undefined) {
      throw new UsageError(`--${twice[0]}: does not go with the arguments DEV ADDR PORT`);
    }
    const [deviceText = '', addressText, ...portTexts] = given;
    if (addressText === undefined || portTexts.length === 0) {
      throw new UsageError('DEV ADDR PORT [PORT...]: one of them is missing');
    }
    return {
      device: read('DEV', interfaceName, deviceText),
      address: read('ADDR', serviceAddress, addressText),
      ports: unique(portTexts.map((text) => read('PORT', port, text))),
    };
  }
  if (device === undefined || address === undefined || ports.length === 0) {
    const missing = device === undefined ? 'interface' : address === undefined ? 'address' : 'port';
    throw new UsageError(`${missing} is missing: DEV ADDR PORT [PORT...], or the options for them`);
  }
  return { device, address, ports: unique(ports) };
}

function read<T>(name: string, parse: (text: string) => T, text: string): T {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`${name}: ${error.message}`, { cause: error });
  }
}

function unique(ports: readonly number[]): readonly number[] {
  return [...new Set(ports)];
}

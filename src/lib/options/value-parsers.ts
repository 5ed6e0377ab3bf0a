import { parseAddress, type IpAddress } from '../system/ip-address.ts';
import { parseDuration } from '../system/duration.ts';
import type { ValueParser } from './option.ts';
import { nearest } from './nearest.ts';

/** What the arguments of options are: each reads one text, or throws RangeError. */
function parser<T>(
  metavar: string,
  parse: (text: string) => T,
  extra: Pick<ValueParser<T>, 'choices' | 'completes'> = {},
): ValueParser<T> {
  return Object.assign((text: string) => parse(text), { metavar, ...extra });
}

/** Any text that is not empty and has no control characters. */
export const text = parser('TEXT', (given) => {
  // eslint-disable-next-line no-control-regex -- exactly these are refused
  if (given === '' || /[\u0000-\u001f\u007f]/.test(given)) {
    throw new RangeError('must be text without control characters, and not empty');
  }
  return given;
});

/** A duration, in milliseconds. */
export const duration = parser('DURATION', parseDuration);

/** A duration above zero, in milliseconds. */
export const positiveDuration = parser('DURATION', (given) => {
  const ms = parseDuration(given);
  if (ms === 0) throw new RangeError('must be longer than 0');
  return ms;
});

/** The longest drain, in milliseconds: the shutdown of a machine waits for a minute. */
export const LONGEST_DRAIN_MS = 30_000;

/** A drain, in milliseconds. */
export const drainTime = parser('DURATION', (given) => {
  const ms = parseDuration(given);
  if (ms > LONGEST_DRAIN_MS) {
    throw new RangeError(`'${given}' is longer than the 30s that a drain may last`);
  }
  return ms;
});

/** A lease in milliseconds, or undefined for `off`: the kernel counts whole seconds. */
export const leaseTime = parser('DURATION|off', (given) => {
  if (given === 'off') return undefined;
  const ms = parseDuration(given);
  if (ms < 2000 || ms % 1000 !== 0) {
    throw new RangeError(`'${given}' is no lease (whole seconds, at least 2s, or off)`);
  }
  return ms;
});

export function wholeNumber(min: number, max: number): ValueParser<number> {
  return parser('N', (given) => {
    const number = /^\d{1,9}$/.test(given) ? Number(given) : Number.NaN;
    if (!(number >= min && number <= max)) {
      throw new RangeError(`'${given}' is no whole number from ${min} to ${max}`);
    }
    return number;
  });
}

export function oneOf<const T extends string>(...choices: readonly T[]): ValueParser<T> {
  return parser(
    choices.join('|'),
    (given) => {
      const choice = choices.find((candidate) => candidate === given);
      if (choice === undefined) {
        const meant = nearest(
          given.toLowerCase(),
          choices.map((known) => known.toLowerCase()),
        );
        const likely = choices.find((known) => known.toLowerCase() === meant);
        const hint = likely === undefined ? '' : ` (did you mean ${likely}?)`;
        throw new RangeError(`'${given}' is not one of ${choices.join(', ')}${hint}`);
      }
      return choice;
    },
    { choices },
  );
}

/** A comma-separated selection out of a fixed set, compared without case. */
export function someOf<const T extends string>(
  ...choices: readonly T[]
): ValueParser<readonly T[]> {
  const one = oneOf(...choices);
  return parser(
    `${choices[0] ?? ''},…`,
    (given) =>
      given.split(',').map((part) => {
        const choice = choices.find((known) => known.toLowerCase() === part.trim().toLowerCase());
        return choice ?? one(part);
      }),
    { choices },
  );
}

/** A regular expression in JavaScript's syntax, with Unicode rules. */
export const regularExpression = parser('REGEX', (given) => {
  try {
    // eslint-disable-next-line security/detect-non-literal-regexp -- whoever configures us is trusted
    return new RegExp(given, 'u');
  } catch {
    throw new RangeError(`'${given}' is no regular expression`);
  }
});

export const file = parser('FILE', (given) => text(given), { completes: 'file' });
export const directory = parser('DIR', (given) => text(given), { completes: 'directory' });

/** An IP literal: names are not resolved, because resolving may be what is broken. */
export const ipAddress = parser('ADDR', parseAddress);

/** An address that clients may use: neither loopback, nor multicast, nor link-local, nor none. */
export const serviceAddress = parser('ADDR', (given) => {
  const address = parseAddress(
    given.replace(/\/(32|128)$/, (prefix) =>
      (prefix === '/32') === given.includes('.') ? '' : prefix,
    ),
  );
  const unusable =
    address.family === 4
      ? /^(0|127|22[4-9]|23\d|24\d|25[0-5])\.|^169\.254\./
      : /^(::1?$|ff|fe[89ab])/;
  if (unusable.test(address.text)) throw new RangeError(`'${given}' cannot be a service address`);
  return address;
});

/** The name of a network interface (at most 15 bytes: IFNAMSIZ in net/if.h). */
export const interfaceName = parser(
  'IFACE',
  (given) => {
    // No leading dash: ip(8) would take it for an option.
    if (!/^[A-Za-z0-9_.][A-Za-z0-9_.:@-]{0,14}$/.test(given) || given === '.' || given === '..') {
      throw new RangeError(`'${given}' is no interface name`);
    }
    return given;
  },
  { completes: 'interface' },
);

/** The same, or nothing at all: undefined. */
export const interfaceNameOrNone = parser(
  'IFACE',
  (given) => (given === '' ? undefined : interfaceName(given)),
  { completes: 'interface' },
);

/** A host name as a certificate has it (RFC 6125), or an IP address. */
export const tlsName = parser('NAME', (given) => {
  if (given.includes(':') || /^[\d.]+$/.test(given)) return parseAddress(given).text;
  const name = given.endsWith('.') ? given.slice(0, -1) : given;
  const isName =
    name.length <= 253 &&
    name
      .split('.')
      .every((label) => /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label));
  if (!isName) {
    throw new RangeError(`'${given}' is no host name (an international one in its xn-- form)`);
  }
  return name;
});

/** The letters, digits and `. _ : -` that names of instances and holders are made of. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/;

export function isName(given: string): boolean {
  return NAME.test(given);
}

/** The name of an instance or of a holder: it becomes part of file names, so it is narrow. */
export const instanceName = parser(
  'NAME',
  (given) => {
    if (!isName(given)) {
      throw new RangeError(
        `'${given}' is no name (letters, digits and . _ : -, at most 64, beginning with a letter or digit)`,
      );
    }
    return given;
  },
  { completes: 'instance' },
);

/** An address and a port to ask: `192.0.2.1`, `192.0.2.1:53`, `2001:db8::1`, `[2001:db8::1]:53`. */
export interface Endpoint {
  readonly address: IpAddress;
  readonly port: number;
}

/** An endpoint whose port may be left out. */
export function endpoint(defaultPort: number): ValueParser<Endpoint> {
  return endpointOf(defaultPort, parseAddress);
}

/** As `endpoint`, for programs that also ask link-local addresses, through the interface they name. */
export function zonedEndpoint(defaultPort: number): ValueParser<Endpoint> {
  return endpointOf(defaultPort, parseZonedAddress);
}

function endpointOf(
  defaultPort: number,
  parseHost: (text: string) => IpAddress,
): ValueParser<Endpoint> {
  const port = wholeNumber(1, 65_535);
  return parser('ADDR[:PORT]', (given) => {
    const parts = /^\[([^\]]*)\](?::(\d+))?$/.exec(given) ?? /^([^:]*)(?::(\d+))?$/.exec(given);
    const [, host = '', portText] = parts ?? [given, given]; // a bare IPv6 address has no port
    return {
      address: parseHost(host),
      port: portText === undefined ? defaultPort : port(portText),
    };
  });
}

/** `fe80::1%eth0`: a link-local address says nothing without its interface (RFC 4007 section 11). */
function parseZonedAddress(given: string): IpAddress {
  const [, host = given, zone] = /^([^%]*)%(.*)$/.exec(given) ?? [];
  const address = parseAddress(host);
  const isLinkLocal = /^fe[89ab].:/.test(address.text);
  if (zone === undefined) {
    if (!isLinkLocal) return address;
    throw new RangeError(`'${given}' is link-local: name its interface, as in ${given}%eth0`);
  }
  if (!isLinkLocal) throw new RangeError(`'${given}': only a link-local address has a zone`);
  return { family: 6, text: `${address.text}%${interfaceName(zone)}` };
}

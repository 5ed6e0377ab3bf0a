import { UsageError } from '../../system/errors.ts';
import type { IpAddress } from '../../system/ip-address.ts';
import type { ListenAddress } from './syslog-listener.ts';
import {
  FACILITY_CODES,
  SEVERITY_CODES,
  type SyslogFraming,
  type SyslogPriority,
} from './syslog-message.ts';
import type { SyslogProbeOptions } from './syslog-probe.ts';
import type { SendTarget } from './syslog-sender.ts';
import { optional, value, type ValueParser, type Values } from '../../options/option.ts';
import type { Prepared } from '../probe-program.ts';
import { endpoint, oneOf, text } from '../../options/value-parsers.ts';

/** A path as sun_path holds it, with its final NUL (unix(7)). */
const LONGEST_SOCKET_PATH_BYTES = 107;

/** An endpoint whose port must be written: port 514 belongs to the daemon's own clients. */
const endpointWithPort = endpoint(0);

/** `udp://ADDR:PORT` or `tcp://ADDR:PORT`. */
export const listenAddress: ValueParser<ListenAddress> = Object.assign(
  (given: string): ListenAddress => {
    const [, transport, rest = ''] = /^(udp|tcp):\/\/(.*)$/.exec(given) ?? [];
    if (transport !== 'udp' && transport !== 'tcp') {
      throw new RangeError(`'${given}' is not udp://ADDR:PORT or tcp://ADDR:PORT`);
    }
    const { address, port } = endpointWithPort(rest);
    if (port === 0) throw new RangeError(`'${given}' has no port`);
    return { transport, address, port };
  },
  { metavar: 'udp|tcp://ADDR:PORT' },
);

type UnframedTarget = ListenAddress | { readonly transport: 'unix'; readonly path: string };

/** As `listenAddress`, or `unix:PATH`. */
export const sendTarget: ValueParser<UnframedTarget> = Object.assign(
  (given: string): UnframedTarget => {
    if (!given.startsWith('unix:')) return listenAddress(given);
    const path = text(given.slice('unix:'.length));
    if (!path.startsWith('/')) throw new RangeError(`'${given}': the path does not begin with /`);
    if (Buffer.byteLength(path) > LONGEST_SOCKET_PATH_BYTES) {
      throw new RangeError(
        `'${given}': the path is longer than ${LONGEST_SOCKET_PATH_BYTES} bytes`,
      );
    }
    return { transport: 'unix', path };
  },
  { metavar: 'udp|tcp://ADDR:PORT|unix:PATH' },
);

/** `FACILITY.SEVERITY`, by the names of logger(1). */
export const syslogPriority: ValueParser<SyslogPriority> = Object.assign(
  (given: string): SyslogPriority => {
    const [facility = '', severity = '', ...rest] = given.toLowerCase().split('.');
    if (
      !isKeyOf(FACILITY_CODES, facility) ||
      !isKeyOf(SEVERITY_CODES, severity) ||
      rest.length > 0
    ) {
      throw new RangeError(`'${given}' is no FACILITY.SEVERITY, such as local0.debug`);
    }
    return { facility, severity };
  },
  { metavar: 'FACILITY.SEVERITY' },
);

function isKeyOf<T extends object>(table: T, key: PropertyKey): key is keyof T {
  return Object.hasOwn(table, key);
}

/** The options that syslog-probe has beside those of every probe. */
export const syslogOptions = {
  send: value(sendTarget, {
    describe: 'Where the syslog daemon takes messages; unix: needs logger(1).',
    default: 'udp://127.0.0.1:5514',
  }),
  listen: value(listenAddress, {
    describe: 'Where the syslog daemon sends them on to: the probe listens there.',
    default: 'udp://127.0.0.1:5515',
  }),
  format: value(oneOf('rfc3164', 'rfc5424'), {
    describe: 'How the message is written.',
    default: 'rfc3164',
  }),
  priority: value(syslogPriority, {
    describe: "The message's facility and severity.",
    default: 'local0.debug',
  }),
  framing: optional(oneOf('lf', 'octet-counting'), {
    describe: 'How the end of a message is marked in a TCP stream (RFC 6587).',
    defaultNote: 'lf for rfc3164, octet-counting for rfc5424',
  }),
};

/**
 * Makes the probe's options of the flags.
 *
 * @throws UsageError when options do not go together
 */
export function prepareSyslog(values: Values<typeof syslogOptions>): Prepared<SyslogProbeOptions> {
  const { send, listen, format, priority, framing } = values;
  if (framing !== undefined && send.transport !== 'tcp') {
    throw new UsageError('--framing is for --send tcp://… only');
  }
  if (
    send.transport === listen.transport &&
    send.address.text === listen.address.text &&
    send.port === listen.port
  ) {
    throw new UsageError('--send and --listen are the same: the probe would ask itself');
  }
  const framed = framing ?? (format === 'rfc5424' ? 'octet-counting' : 'lf');
  return {
    options: { send: withFraming(send, framed), listen, format, priority },
    targets: targetsOf(send, listen),
  };
}

function withFraming(target: UnframedTarget, framing: SyslogFraming): SendTarget {
  switch (target.transport) {
    case 'tcp':
      return { ...target, transport: 'tcp', framing };
    case 'udp':
      return { ...target, transport: 'udp' };
    case 'unix':
      return target;
  }
}

function targetsOf(send: UnframedTarget, listen: ListenAddress): readonly IpAddress[] {
  return send.transport === 'unix' ? [listen.address] : [send.address, listen.address];
}

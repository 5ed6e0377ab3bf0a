import { list, optional, value, type ValueParser, type Values } from '../../options/option.ts';
import {
  oneOf,
  regularExpression,
  text,
  wholeNumber,
  zonedEndpoint,
} from '../../options/value-parsers.ts';
import { UsageError } from '../../system/errors.ts';
import { parseAddress, withoutZone, type IpAddress } from '../../system/ip-address.ts';
import { statusRanges } from '../http-answer.ts';
import type { Prepared } from '../probe-program.ts';
import { refuseTlsOptions, tlsOptions, tlsTermsOf } from '../tls-options.ts';
import type { HttpProbeOptions } from './http-probe.ts';

const PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

/** What is sent in a header field's place by us, and would make another request of it. */
const OURS = [
  'connection',
  'content-length',
  'expect',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/** `http://…` or `https://…`, with `{nonce}` allowed behind the host. */
const url: ValueParser<string> = Object.assign(
  (given: string): string => {
    const parsed = URL.canParse(text(given)) ? new URL(given) : undefined;
    if (parsed === undefined || !(parsed.protocol in PORTS)) {
      throw new RangeError(`'${given}' is neither http://… nor https://…`);
    }
    if (parsed.username !== '' || parsed.password !== '') {
      throw new RangeError(`'${given}' carries a user or a password`);
    }
    if (parsed.port === '0') throw new RangeError(`'${given}': there is no port 0`);
    return given;
  },
  { metavar: 'URL' },
);

/** `NAME[:PORT]` as it stands in `Host` (RFC 9110 section 7.2). */
const hostField: ValueParser<string> = Object.assign(
  (given: string): string => {
    const isHost = /^(?:[A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/.test(given);
    if (!isHost || !URL.canParse(`http://${given}/`)) {
      throw new RangeError(`'${given}' is not NAME[:PORT]`);
    }
    return given;
  },
  { metavar: 'NAME[:PORT]' },
);

/** `NAME: VALUE` (RFC 9110 section 5). */
const headerField: ValueParser<readonly [name: string, value: string]> = Object.assign(
  (given: string): readonly [string, string] => {
    const [, name, content] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):(.*)$/.exec(given) ?? [];
    if (name === undefined || content === undefined) {
      throw new RangeError(`'${given}' is no header field (NAME: VALUE)`);
    }
    if (name.toLowerCase() === 'host') throw new RangeError(`'${name}' is what --host is for`);
    if (OURS.includes(name.toLowerCase())) throw new RangeError(`'${name}' is up to the probe`);
    if (!/^[\t\x20-\x7e]*$/.test(content)) {
      throw new RangeError(`the value of '${name}' has other characters than ASCII's`);
    }
    return [name, content.trim()];
  },
  { metavar: "'NAME: VALUE'" },
);

/** The options that http-probe has beside those of every probe. */
export const httpOptions = {
  url: value(url, {
    default: 'http://127.0.0.1/',
    describe:
      'What to ask for: http://… or https://…. The host is an IP address, or a name where --connect-to says whom to ask. {nonce} becomes random digits, to get past caches.',
  }),
  'connect-to': optional(zonedEndpoint(0), {
    describe: 'Whom to ask in place of the host of the URL, whose port is taken if none is given.',
    defaultNote: 'the host of the URL',
  }),
  host: optional(hostField, {
    describe: 'What to ask for by name, where it is not the host of the URL.',
    defaultNote: 'the host of the URL',
  }),
  method: value(oneOf('GET', 'HEAD', 'OPTIONS'), {
    default: 'GET',
    describe: 'How to ask.',
  }),
  header: list(headerField, {
    describe: 'A header field to send, in place of one of the same name. Repeatable.',
  }),
  status: value(statusRanges, {
    default: '200-299',
    describe: 'Status codes that are right; redirects are not followed.',
  }),
  body: optional(regularExpression, {
    describe: 'What must be found in the first 1 MiB of the body, taken as UTF-8.',
  }),
  ...tlsOptions,
  'min-cert-days': optional(wholeNumber(0, 3650), {
    describe: 'A certificate that is valid for fewer days is a failure.',
  }),
} as const;

/**
 * Makes the probe's options of the flags, and reads the certificates.
 *
 * @throws UsageError when options do not go together
 * @throws ConfigurationError and PermissionError for the file
 */
export function prepareHttp(values: Values<typeof httpOptions>): Prepared<HttpProbeOptions> {
  const parsed = new URL(values.url);
  const to = values['connect-to'];
  const address = to?.address ?? literalOf(parsed.hostname);
  const port = to === undefined || to.port === 0 ? portOf(parsed) : to.port;
  const minDays = values['min-cert-days'];
  const isTls = parsed.protocol === 'https:';
  if (!isTls) {
    refuseTlsOptions(values, 'https://…');
    if (minDays !== undefined) throw new UsageError('--min-cert-days is for https://… only');
  }
  const host = values.host ?? parsed.host;
  const terms = isTls ? tlsTermsOf(values, minDays) : undefined;
  return {
    options: {
      server: { address, port },
      url: values.url,
      host,
      method: values.method,
      headers: values.header,
      status: values.status,
      body: values.body,
      tls: terms && { ...terms, name: terms.name ?? hostnameOf(host) },
    },
    targets: [withoutZone(address)],
  };
}

function literalOf(hostname: string): IpAddress {
  try {
    return parseAddress(hostname.replace(/^\[(.*)\]$/, '$1'));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(
      `--url: '${hostname}' is no IP address, and names are not resolved: add --connect-to 127.0.0.1`,
      { cause: error },
    );
  }
}

function portOf({ port, protocol }: URL): number {
  return port === '' ? (PORTS[protocol] ?? 0) : Number(port);
}

/** The host without its port and brackets. */
function hostnameOf(host: string): string {
  return new URL(`http://${host}/`).hostname.replace(/^\[(.*)\]$/, '$1');
}

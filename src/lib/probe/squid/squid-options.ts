import { UsageError } from '../../system/errors.ts';
import { statusRanges } from '../http-answer.ts';
import { httpTargetOf, type SquidProbeOptions } from './squid-probe.ts';
import { optional, value, type ValueParser, type Values } from '../../options/option.ts';
import type { Prepared } from '../probe-program.ts';
import { readSecretFile } from '../../options/secret-file.ts';
import { endpoint, file, oneOf, regularExpression, text } from '../../options/value-parsers.ts';

/** The proxy's own icon: squid answers it from its memory and asks nobody. */
const OWN_ICON = '/squid-internal-static/icons/SN.png';

/** A URL that a proxy can be asked for, with `{nonce}` allowed anywhere. */
export const proxyUrl: ValueParser<string> = Object.assign(
  (given: string): string => {
    httpTargetOf(text(given).replaceAll('{nonce}', '0123456789abcdef'), 'proxy');
    return given;
  },
  { metavar: 'URL' },
);

/** `HOST:PORT` of a tunnel's far end: a name, an IPv4 address, or an IPv6 address in brackets. */
export const authority: ValueParser<string> = Object.assign(
  (given: string): string => {
    const parts = /^([A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):(\d{1,5})$/.exec(given);
    const port = Number(parts?.[2] ?? 0);
    if (
      parts?.[1] === undefined ||
      !URL.canParse(`http://${parts[1]}/`) ||
      port < 1 ||
      port > 65_535
    ) {
      throw new RangeError(`'${given}' is not HOST:PORT`);
    }
    return given;
  },
  { metavar: 'HOST:PORT' },
);

/** The options that squid-probe has beside those of every probe. */
export const squidOptions = {
  proxy: value(endpoint(3128), {
    describe: 'The proxy to ask.',
    default: '127.0.0.1:3128',
  }),
  url: optional(proxyUrl, {
    describe:
      'What to ask for: http://…, or a path that the proxy has itself; {nonce} becomes random digits, to get past caches.',
    defaultNote: OWN_ICON,
  }),
  method: optional(oneOf('GET', 'HEAD', 'OPTIONS'), {
    describe: 'How to ask for the URL.',
    defaultNote: 'GET',
  }),
  connect: optional(authority, {
    describe: 'Ask for a tunnel to there instead of a URL; nothing is sent through it.',
  }),
  status: value(statusRanges, {
    describe: 'Status codes that are right; redirects are not followed.',
    default: '200-299',
  }),
  body: optional(regularExpression, {
    describe: 'What must be found in the first 1 MiB of the body, taken as UTF-8.',
  }),
  'proxy-user': optional(text, {
    metavar: 'NAME',
    describe: 'Log in to the proxy with this name (Basic).',
  }),
  'proxy-password-file': optional(file, {
    describe: 'File with the password, which others must not be able to read.',
  }),
};

/**
 * Makes the probe's options of the flags, and reads the password.
 *
 * @throws UsageError when options do not go together
 * @throws ConfigurationError and PermissionError for the file
 */
export function prepareSquid(values: Values<typeof squidOptions>): Prepared<SquidProbeOptions> {
  const { proxy, url, method, connect, body } = values;
  if (connect !== undefined) {
    for (const [name, other] of Object.entries({ url, method, body })) {
      if (other !== undefined) throw new UsageError(`--${name} does not go with --connect`);
    }
  }
  return {
    options: {
      proxy,
      question:
        connect === undefined
          ? { kind: 'url', method: method ?? 'GET', url: url ?? OWN_ICON }
          : { kind: 'connect', authority: connect },
      status: values.status,
      body,
      credentials: credentialsOf(values),
    },
    targets: [proxy.address],
  };
}

function credentialsOf(values: Values<typeof squidOptions>): SquidProbeOptions['credentials'] {
  const { 'proxy-user': user, 'proxy-password-file': passwordFile } = values;
  if (user === undefined && passwordFile === undefined) return undefined;
  if (user === undefined) throw new UsageError('--proxy-password-file needs --proxy-user');
  if (passwordFile === undefined) throw new UsageError('--proxy-user needs --proxy-password-file');
  if (user.includes(':')) throw new UsageError("--proxy-user: a ':' cannot be sent (RFC 7617)");
  return { user, password: readSecretFile('--proxy-password-file', passwordFile) };
}

import { radiusAttribute, type GivenAttribute } from './radius-attribute.ts';
import { endsWithCarriageReturn, type RadiusProbeOptions } from './radius-probe.ts';
import type { RadiusQuestion } from './radius-request.ts';
import { ConfigurationError, UsageError } from '../../system/errors.ts';
import { list, optional, value, type Values, type ValueParser } from '../../options/option.ts';
import type { Advice, Prepared } from '../probe-program.ts';
import { readSecretFile } from '../../options/secret-file.ts';
import { endpoint, file, oneOf, text } from '../../options/value-parsers.ts';

/** 18120 is this program's own; the others are IANA's. */
const DEFAULT_PORTS = { status: 18_120, auth: 1812, accounting: 1813 } as const;

/** RFC 2865 section 5.2. */
const LONGEST_PASSWORD_BYTES = 128;

/** The value of an attribute (RFC 2865 section 5): at most 253 bytes. */
const attributeText: ValueParser<string> = Object.assign(
  (given: string) => {
    if (Buffer.byteLength(given) > 253) throw new RangeError('is longer than 253 bytes');
    return text(given);
  },
  { metavar: 'NAME' },
);

/** The options that radius-probe has beside those of every probe. */
export const radiusOptions = {
  server: value(endpoint(0), {
    default: '127.0.0.1',
    defaultNote: '127.0.0.1, port 18120; 1812 in mode auth, 1813 in accounting',
    describe: 'The RADIUS server to ask.',
  }),
  'secret-file': optional(file, {
    describe: 'File with the shared secret; others must not be able to read it.',
  }),
  mode: value(oneOf('status', 'auth', 'accounting'), {
    default: 'status',
    describe: 'Ask for the status, log a user in, or account for a session.',
  }),
  user: optional(attributeText, {
    describe: 'User-Name: for mode auth, and if wanted for accounting.',
  }),
  'password-file': optional(file, {
    describe: 'File with the password for mode auth; others must not be able to read it.',
  }),
  auth: optional(oneOf('pap', 'chap'), {
    describe: 'How mode auth sends the password; chap needs a server that knows it in clear.',
    defaultNote: 'pap',
  }),
  attribute: list(radiusAttribute, {
    describe:
      'Attribute to send along, by its name in RFC 2865, 2866 or 2869: NAS-Port-Type=Ethernet, NAS-IP-Address=192.0.2.1, Calling-Station-Id=probe; bytes as 0x0a0b. Repeatable.',
  }),
  expect: value(oneOf('accept', 'reject', 'any'), {
    default: 'accept',
    describe: 'The answer that means up in mode auth; any: a Challenge too.',
  }),
  'require-message-authenticator': value(oneOf('auto', 'yes', 'no'), {
    default: 'auto',
    describe: 'Refuse answers without Message-Authenticator; auto: in mode auth.',
  }),
  'nas-identifier': value(attributeText, {
    default: 'anycast-ha',
    describe: 'What the server knows this node as.',
  }),
};

/**
 * Reads the files that the options name and makes the probe's options of them.
 *
 * @throws UsageError when an option is missing, or stands where it means nothing
 * @throws ConfigurationError and PermissionError for the files
 */
export function prepareRadius(values: Values<typeof radiusOptions>): Prepared<RadiusProbeOptions> {
  const { server, mode } = values;
  const secretFile = values['secret-file'];
  if (secretFile === undefined) throw new UsageError('--secret-file is missing');
  const demand = values['require-message-authenticator'];
  const secret = readSecretFile('--secret-file', secretFile);
  refuseTooMuch(values.attribute);

  return {
    options: {
      server: { ...server, port: server.port === 0 ? DEFAULT_PORTS[mode] : server.port },
      question: questionOf(values),
      secret,
      expect: values.expect,
      requireMessageAuthenticator: demand === 'auto' ? mode === 'auth' : demand === 'yes',
      nasIdentifier: values['nas-identifier'],
      attributes: values.attribute,
    },
    targets: [server.address],
    advice: endsWithCarriageReturn(secret) ? [carriageReturn(secretFile)] : [],
  };
}

function questionOf(values: Values<typeof radiusOptions>): RadiusQuestion {
  const { mode, user, auth } = values;
  const passwordFile = values['password-file'];
  if (mode === 'auth') {
    if (user === undefined) throw new UsageError('--user is missing: --mode auth needs it');
    if (passwordFile === undefined) {
      throw new UsageError('--password-file is missing: --mode auth needs it');
    }
    return { mode, user, password: readPassword(passwordFile), auth: auth ?? 'pap' };
  }
  if (passwordFile !== undefined) throw new UsageError('--password-file is for --mode auth only');
  if (auth !== undefined) throw new UsageError('--auth is for --mode auth only');
  if (values.expect !== 'accept') throw new UsageError('--expect is for --mode auth only');
  if (mode === 'accounting') return { mode, user };
  if (user !== undefined) throw new UsageError('--user is for --mode auth and accounting only');
  return { mode };
}

/** What all attributes may come to, so that ours have room (RFC 2865 section 3). */
const MOST_ATTRIBUTE_BYTES = 3072;

function refuseTooMuch(attributes: readonly GivenAttribute[]): void {
  const bytes = attributes.reduce((sum, [, { length }]) => sum + 2 + length, 0);
  if (bytes > MOST_ATTRIBUTE_BYTES) {
    throw new UsageError(
      `--attribute: together they are longer than ${MOST_ATTRIBUTE_BYTES} bytes`,
    );
  }
}

function carriageReturn(path: string): Advice {
  return {
    key: `carriage-return ${path}`,
    message: `--secret-file: the secret in ${path} ends with a carriage return, which is part of it: if the file was written with CRLF, make it anew without`,
  };
}

function readPassword(path: string): string {
  const bytes = readSecretFile('--password-file', path);
  if (bytes.length > LONGEST_PASSWORD_BYTES) {
    throw new ConfigurationError(
      `--password-file: the password in ${path} is longer than ${LONGEST_PASSWORD_BYTES} bytes`,
    );
  }
  const password = bytes.toString('utf8');
  if (!Buffer.from(password, 'utf8').equals(bytes) || password.includes('\0')) {
    throw new ConfigurationError(`--password-file: ${path} is not UTF-8 text`);
  }
  return password;
}

import type { RadiusProbeOptions } from './radius-probe.ts';
import type { RadiusQuestion } from './radius-request.ts';
import { ConfigurationError, UsageError } from '../../system/errors.ts';
import { optional, value, type Values, type ValueParser } from '../../options/option.ts';
import type { Prepared } from '../probe-program.ts';
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

  return {
    options: {
      server: { ...server, port: server.port === 0 ? DEFAULT_PORTS[mode] : server.port },
      question: questionOf(values),
      secret: readSecretFile('--secret-file', secretFile),
      expect: values.expect,
      requireMessageAuthenticator: demand === 'auto' ? mode === 'auth' : demand === 'yes',
      nasIdentifier: values['nas-identifier'],
    },
    targets: [server.address],
  };
}

function questionOf(values: Values<typeof radiusOptions>): RadiusQuestion {
  const { mode, user } = values;
  const passwordFile = values['password-file'];
  if (mode === 'auth') {
    if (user === undefined) throw new UsageError('--user is missing: --mode auth needs it');
    if (passwordFile === undefined) {
      throw new UsageError('--password-file is missing: --mode auth needs it');
    }
    return { mode, user, password: readPassword(passwordFile) };
  }
  if (passwordFile !== undefined) throw new UsageError('--password-file is for --mode auth only');
  if (values.expect !== 'accept') throw new UsageError('--expect is for --mode auth only');
  if (mode === 'accounting') return { mode, user };
  if (user !== undefined) throw new UsageError('--user is for --mode auth and accounting only');
  return { mode };
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

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { prepareRadius, radiusOptions } from '../../../../src/lib/probe/radius/radius-options.ts';
import { ConfigurationError, UsageError } from '../../../../src/lib/system/errors.ts';
import { optionValues } from '../../../support/option-values.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../../support/temporary-folder.ts';

const folder = createTemporaryFolder();

afterAll(() => {
  removeTemporaryFolder(folder);
});

function fileOf(name: string, content: string | Buffer): string {
  const file = path.join(folder, name);
  writeFileSync(file, content, { mode: 0o600 });
  return file;
}

const secret = fileOf('secret', 'foobar\n');
const password = fileOf('password', 'right horse\n');

function prepare(given: Readonly<Record<string, string>>): ReturnType<typeof prepareRadius> {
  const texts = Object.entries({ 'secret-file': secret, ...given });
  return prepareRadius(
    optionValues(radiusOptions, Object.fromEntries(texts.map(([name, text]) => [name, [text]]))),
  );
}

const AUTH = { mode: 'auth', user: 'probe', 'password-file': password };

describe('the options of radius-probe', () => {
  test('ask the status server of this node by default', () => {
    const { options, targets } = prepare({});
    expect(options).toEqual({
      server: { address: { family: 4, text: '127.0.0.1' }, port: 18_120 },
      question: { mode: 'status' },
      secret: Buffer.from('foobar'),
      expect: 'accept',
      requireMessageAuthenticator: false,
      nasIdentifier: 'anycast-ha',
      attributes: [],
    });
    expect(targets).toEqual([{ family: 4, text: '127.0.0.1' }]);
  });

  test.each([
    ['status', {}, 18_120],
    ['auth', AUTH, 1812],
    ['accounting', { mode: 'accounting' }, 1813],
  ])('take the port of mode %s where none is given', (_, given, port) => {
    expect(prepare({ ...given, server: '::1' }).options.server).toEqual({
      address: { family: 6, text: '::1' },
      port,
    });
    expect(prepare({ ...given, server: '[::1]:99' }).options.server.port).toBe(99);
  });

  test('make the question of a login', () => {
    expect(prepare(AUTH).options.question).toEqual({
      mode: 'auth',
      user: 'probe',
      password: 'right horse',
      auth: 'pap',
    });
    expect(prepare({ ...AUTH, auth: 'chap' }).options.question).toMatchObject({ auth: 'chap' });
  });

  test('make the question of accounting, with and without a user', () => {
    expect(prepare({ mode: 'accounting' }).options.question).toEqual({
      mode: 'accounting',
      user: undefined,
    });
    expect(prepare({ mode: 'accounting', user: 'x' }).options.question).toEqual({
      mode: 'accounting',
      user: 'x',
    });
  });

  test.each([
    ['auto', {}, false],
    ['auto', { mode: 'accounting' }, false],
    ['auto', AUTH, true],
    ['yes', {}, true],
    ['no', AUTH, false],
  ])('--require-message-authenticator %s with %o demands it: %s', (demand, given, demanded) => {
    const { options } = prepare({ ...given, 'require-message-authenticator': demand });
    expect(options.requireMessageAuthenticator).toBe(demanded);
  });

  test.each([
    [{ mode: 'auth', 'password-file': password }, '--user is missing'],
    [{ mode: 'auth', user: 'probe' }, '--password-file is missing'],
    [{ 'password-file': password }, '--password-file is for --mode auth only'],
    [{ user: 'probe' }, '--user is for --mode auth and accounting only'],
    [{ auth: 'pap' }, '--auth is for --mode auth only'],
    [{ expect: 'any' }, '--expect is for --mode auth only'],
  ])('refuse %o', (given, message) => {
    expect(() => prepare(given)).toThrow(UsageError);
    expect(() => prepare(given)).toThrow(message);
  });

  test.each([
    ['Calling-Station-Id=a=b', '613d62'],
    ['NAS-IP-Address=192.0.2.1', 'c0000201'],
    ['NAS-Port=7', '00000007'],
    ['NAS-Port=4294967295', 'ffffffff'],
    ['NAS-Port-Type=Ethernet', '0000000f'],
    ['Service-Type=Framed-User', '00000002'],
    ['State=0x0aFF', '0aff'],
    ['Called-Station-Id=0x', '3078'],
    ['NAS-Port-Id=eth0', '65746830'],
  ])('send %s as %s', (given, hex) => {
    const [attribute] = prepare({ attribute: given }).options.attributes;
    expect([attribute?.[0], attribute?.[1].toString('hex')]).toEqual([given.split('=')[0], hex]);
  });

  test.each([
    ['Calling-Station-Id', 'is not NAME=VALUE'],
    [
      'NAS-Port-Typ=Ethernet',
      "'NAS-Port-Typ' is no attribute of RFC 2865, 2866 or 2869 (did you mean NAS-Port-Type?)",
    ],
    ['nas-port=1', '(did you mean NAS-Port?)'],
    [
      'NAS-Port-Type=Internet',
      "'Internet' is neither a number nor a value that 'NAS-Port-Type' has a name for",
    ],
    ['NAS-Port=4294967296', 'is neither a number'],
    ['NAS-Port=1.5', 'is neither a number'],
    ['NAS-IP-Address=192.0.2.256', 'is no IPv4 address'],
    ['NAS-IP-Address=2001:db8::1', 'is no IPv4 address'],
    ['State=yes', 'is not 0x and hexadecimal digits'],
    ['Event-Timestamp=now', 'is not 0x and hexadecimal digits'],
    ['Calling-Station-Id=', 'has no value'],
    [`Calling-Station-Id=${'x'.repeat(254)}`, 'longer than 253 bytes'],
    ['User-Password=x', 'is what --password-file is for'],
    ['User-Name=x', 'is what --user is for'],
    ['constructor=x', 'is no attribute'],
    ['1=x', 'is no attribute'],
  ])('refuse --attribute %s', (given, message) => {
    expect(() => prepare({ attribute: given })).toThrow(RangeError);
    expect(() => prepare({ attribute: given })).toThrow(message);
  });

  test('refuse more attributes than a packet holds', () => {
    const attribute = Array<string>(13).fill(`Class=0x${'00'.repeat(250)}`);
    const values = optionValues(radiusOptions, { 'secret-file': [secret], attribute });
    expect(() => prepareRadius(values)).toThrow(UsageError);
    expect(() => prepareRadius(values)).toThrow('together they are longer than 3072 bytes');
  });

  test('warn of a secret from a file with CRLF', () => {
    expect(prepare({}).advice).toEqual([]);
    const windows = fileOf('windows', 'foobar\r\n');
    expect(prepare({ 'secret-file': windows })).toMatchObject({
      options: { secret: Buffer.from('foobar\r') },
      advice: [
        {
          message: expect.stringContaining(
            `the secret in ${windows} ends with a carriage`,
          ) as unknown,
        },
      ],
    });
  });

  test('refuse to go without a secret', () => {
    expect(() => prepareRadius(optionValues(radiusOptions))).toThrow('--secret-file is missing');
  });

  test('refuse a user or a NAS that fits into no attribute', () => {
    expect(() => prepare({ 'nas-identifier': 'x'.repeat(254) })).toThrow(RangeError);
    expect(() => prepare({ 'nas-identifier': '' })).toThrow(RangeError);
    expect(() => prepare({ ...AUTH, user: 'é'.repeat(127) })).toThrow(RangeError);
    expect(prepare({ ...AUTH, user: 'é'.repeat(126) }).options.question).toHaveProperty('user');
  });

  test.each([
    ['too long', 'x'.repeat(129)],
    ['no text', Buffer.from([0xc3, 0x28])],
    ['with a NUL', 'a\0b'],
  ])('refuse a password that is %s', (name, content) => {
    const file = fileOf(name, content);
    expect(() => prepare({ ...AUTH, 'password-file': file })).toThrow(ConfigurationError);
  });
});

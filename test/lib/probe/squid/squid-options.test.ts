import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { prepareSquid, squidOptions } from '../../../../src/lib/probe/squid/squid-options.ts';
import { ConfigurationError, UsageError } from '../../../../src/lib/system/errors.ts';
import { optionValues } from '../../../support/option-values.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../../support/temporary-folder.ts';

const folder = createTemporaryFolder();
const passwordFile = path.join(folder, 'password');
writeFileSync(passwordFile, 's3cret\n', { mode: 0o600 });
const openFile = path.join(folder, 'open');
writeFileSync(openFile, 's3cret\n', { mode: 0o644 });

afterAll(() => {
  removeTemporaryFolder(folder);
});

function prepare(given: Readonly<Record<string, string>> = {}): ReturnType<typeof prepareSquid> {
  const texts = Object.entries(given).map(([name, text]) => [name, [text]] as const);
  return prepareSquid(optionValues(squidOptions, Object.fromEntries(texts)));
}

const LOOPBACK = { family: 4, text: '127.0.0.1' };

describe('the options of squid-probe', () => {
  test('ask for the proxy’s own icon by default', () => {
    expect(prepare()).toEqual({
      options: {
        proxy: { address: LOOPBACK, port: 3128 },
        question: { kind: 'url', method: 'GET', url: '/squid-internal-static/icons/SN.png' },
        status: [{ first: 200, last: 299 }],
        body: undefined,
        credentials: undefined,
      },
      targets: [LOOPBACK],
    });
  });

  test('take a proxy, a URL and a method', () => {
    const { options, targets } = prepare({
      proxy: '[::1]:8080',
      url: 'http://a.test/{nonce}',
      method: 'HEAD',
      body: '^x',
    });
    expect(options).toMatchObject({
      proxy: { address: { family: 6, text: '::1' }, port: 8080 },
      question: { kind: 'url', method: 'HEAD', url: 'http://a.test/{nonce}' },
      body: /^x/u,
    });
    expect(targets).toEqual([{ family: 6, text: '::1' }]);
  });

  test.each(['a.test:443', '192.0.2.7:80', '[2001:db8::1]:65535'])(
    'take %s for a tunnel',
    (connect) => {
      expect(prepare({ connect }).options.question).toEqual({
        kind: 'connect',
        authority: connect,
      });
    },
  );

  test.each([
    ['200', [{ first: 200, last: 200 }]],
    [
      '200-299,304, 401 - 403',
      [
        { first: 200, last: 299 },
        { first: 304, last: 304 },
        { first: 401, last: 403 },
      ],
    ],
  ])('take the status codes %s', (status, ranges) => {
    expect(prepare({ status }).options.status).toEqual(ranges);
  });

  test('read the password of a user', () => {
    const given = { 'proxy-user': 'probe', 'proxy-password-file': passwordFile };
    expect(prepare(given).options.credentials).toEqual({
      user: 'probe',
      password: Buffer.from('s3cret'),
    });
  });

  test.each([
    ['url', 'https://a.test/'],
    ['url', 'ftp://a.test/'],
    ['url', 'a.test/'],
    ['url', 'http://user@a.test/'],
    ['url', 'http:///'],
    ['url', '/a b'],
    ['url', '/a\r\nX: y'],
    ['connect', 'a.test'],
    ['connect', 'a.test:0'],
    ['connect', 'a.test:65536'],
    ['connect', '::1:443'],
    ['connect', '[::g]:443'],
    ['connect', 'a.test:443 X'],
    ['connect', ':443'],
    ['method', 'CONNECT'],
    ['status', ''],
    ['status', '200-'],
    ['status', '299-200'],
    ['status', '99'],
    ['status', '600'],
    ['status', '200,,300'],
    ['body', '('],
    ['proxy', 'localhost:3128'],
  ])('refuse --%s %j', (name, text) => {
    expect(() => prepare({ [name]: text })).toThrow(RangeError);
  });

  test.each([
    [{ connect: 'a.test:1', url: '/x' }, '--url does not go with --connect'],
    [{ connect: 'a.test:1', method: 'GET' }, '--method does not go with --connect'],
    [{ connect: 'a.test:1', body: 'x' }, '--body does not go with --connect'],
    [{ 'proxy-user': 'probe' }, '--proxy-user needs --proxy-password-file'],
    [{ 'proxy-password-file': passwordFile }, '--proxy-password-file needs --proxy-user'],
    [{ 'proxy-user': 'a:b', 'proxy-password-file': passwordFile }, "--proxy-user: a ':' cannot"],
  ])('refuse %j together', (given, message) => {
    expect(() => prepare(given)).toThrow(UsageError);
    expect(() => prepare(given)).toThrow(message);
  });

  test('refuse a password that everybody may read', () => {
    const given = { 'proxy-user': 'probe', 'proxy-password-file': openFile };
    expect(() => prepare(given)).toThrow(ConfigurationError);
  });
});

import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { httpOptions, prepareHttp } from '../../../../src/lib/probe/http/http-options.ts';
import type { HttpProbeOptions } from '../../../../src/lib/probe/http/http-probe.ts';
import type { Prepared } from '../../../../src/lib/probe/probe-program.ts';
import { ConfigurationError, UsageError } from '../../../../src/lib/system/errors.ts';
import { makeCertificates } from '../../../support/certificates.ts';
import { optionValues } from '../../../support/option-values.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../../support/temporary-folder.ts';

type Given = Partial<Record<keyof typeof httpOptions, readonly string[]>>;

function prepare(given: Given = {}): Prepared<HttpProbeOptions> {
  return prepareHttp(optionValues(httpOptions, given));
}

let folder: string;
beforeAll(async () => {
  folder = createTemporaryFolder();
  await makeCertificates(folder);
});
afterAll(() => {
  removeTemporaryFolder(folder);
});

const LOCALHOST = { family: 4, text: '127.0.0.1' };

test('without a flag: the first page from 127.0.0.1', () => {
  expect(prepare()).toEqual({
    targets: [LOCALHOST],
    options: {
      server: { address: LOCALHOST, port: 80 },
      url: 'http://127.0.0.1/',
      host: '127.0.0.1',
      method: 'GET',
      headers: [],
      status: [{ first: 200, last: 299 }],
      body: undefined,
      tls: undefined,
    },
  });
});

test('every flag finds its place', () => {
  const authorities = path.join(folder, 'ca.pem');
  const { targets, options } = prepare({
    url: ['https://www.example.net:8443/a?{nonce}'],
    'connect-to': ['[fe80::1%eth0]:443'],
    host: ['other.example.net:444'],
    method: ['HEAD'],
    header: ['Accept: text/html', 'X-Probe:yes'],
    status: ['301,404'],
    body: ['^hello'],
    'tls-name': ['Tls.example.net.'],
    'tls-ca': [authorities],
    'min-cert-days': ['7'],
  });
  expect(targets).toEqual([{ family: 6, text: 'fe80::1' }]);
  expect(options).toMatchObject({
    server: { address: { family: 6, text: 'fe80::1%eth0' }, port: 443 },
    host: 'other.example.net:444',
    method: 'HEAD',
    headers: [
      ['Accept', 'text/html'],
      ['X-Probe', 'yes'],
    ],
    body: /^hello/u,
    tls: { name: 'Tls.example.net', insecure: false, minDays: 7 },
  });
  expect(options.tls?.authorities).toHaveLength(1);
});

test.each<[given: Given, port: number, host: string, tlsName: string | undefined]>([
  [{ url: ['http://[::1]:8080/x'] }, 8080, '[::1]:8080', undefined],
  [{ url: ['https://[::1]/'] }, 443, '[::1]', '::1'],
  [{ url: ['https://a.test:81/'], 'connect-to': ['127.0.0.1'] }, 81, 'a.test:81', 'a.test'],
  [{ url: ['https://127.0.0.1/'], host: ['b.test:9'] }, 443, 'b.test:9', 'b.test'],
])('%j: whom to connect to, whom to name, and whom to expect', (given, port, host, tlsName) => {
  const { options } = prepare(given);
  expect([options.server.port, options.host, options.tls?.name]).toEqual([port, host, tlsName]);
});

describe('a mistake is refused with what would be right', () => {
  test.each<[name: keyof typeof httpOptions, text: string, message: string]>([
    ['url', 'ftp://127.0.0.1/', 'neither http://… nor https://…'],
    ['url', '/index.html', 'neither http://… nor https://…'],
    ['url', 'http://user:x@127.0.0.1/', 'carries a user or a password'],
    ['url', 'http://127.0.0.1:0/', 'there is no port 0'],
    ['connect-to', 'www.example.net', 'no IP address'],
    ['host', 'two words', 'is not NAME[:PORT]'],
    ['method', 'get', '(did you mean GET?)'],
    ['method', 'PUT', 'is not one of GET, HEAD, OPTIONS'],
    ['header', 'Accept', 'is no header field (NAME: VALUE)'],
    ['header', 'Host: x', "'Host' is what --host is for"],
    ['header', 'Transfer-Encoding: chunked', "'Transfer-Encoding' is up to the probe"],
    ['header', 'X: é', "the value of 'X' has other characters"],
    ['header', 'X: a\r\nY: b', 'is no header field'],
    ['status', '299-200', 'ends before it begins'],
    ['body', '(', 'is no regular expression'],
    ['tls-name', 'a b', "'a b' is no host name"],
    ['tls-name', '999.1.1.1', 'is no IP address'],
    ['min-cert-days', '-1', 'is no whole number'],
  ])('--%s %s', (name, text, message) => {
    expect(() => prepare({ [name]: [text] })).toThrow(RangeError);
    expect(() => prepare({ [name]: [text] })).toThrow(message);
  });

  const TLS = ['https://127.0.0.1/'];

  test.each<[given: Given, message: string]>([
    [{ url: ['http://www.test/'] }, "'www.test' is no IP address, and names are not resolved"],
    [{ 'tls-insecure': ['true'] }, '--tls-insecure is for https://… only'],
    [{ 'tls-name': ['x'] }, '--tls-name is for https://… only'],
    [{ 'min-cert-days': ['3'] }, '--min-cert-days is for https://… only'],
    [{ url: TLS, 'tls-insecure': ['true'], 'tls-ca': ['/x'] }, '--tls-ca does not go with'],
  ])('%j', (given, message) => {
    expect(() => prepare(given)).toThrow(UsageError);
    expect(() => prepare(given)).toThrow(message);
  });

  test('certificates that cannot be read, or that others could replace', () => {
    const broken = path.join(folder, 'broken.pem');
    const shown = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    writeFileSync(broken, shown);
    const open = path.join(folder, 'open.pem');
    writeFileSync(open, shown);
    chmodSync(open, 0o666);
    for (const [file, message] of [
      ['/nowhere/ca.pem', '--tls-ca: /nowhere/ca.pem cannot be read (ENOENT)'],
      [folder, `--tls-ca: ${folder} is no regular file`],
      [path.join(folder, 'ca.key'), 'holds no certificates in PEM form'],
      [open, `can be written by others: chmod go-w ${open}`],
      [broken, 'holds no certificates in PEM form'],
    ] as const) {
      expect(() => prepare({ url: TLS, 'tls-ca': [file] })).toThrow(ConfigurationError);
      expect(() => prepare({ url: TLS, 'tls-ca': [file] })).toThrow(message);
    }
  });
});

import { describe, expect, test } from 'vitest';
import { flag, list, optional, value } from '../../../src/lib/options/option.ts';
import {
  argumentSource,
  environmentSource,
  resolveOptions,
  type Source,
} from '../../../src/lib/options/resolve-options.ts';
import { duration, ipAddress, text } from '../../../src/lib/options/value-parsers.ts';
import { ConfigurationError, UsageError } from '../../../src/lib/system/errors.ts';

const table = {
  'lock-wait': value(duration, { describe: 'how long', default: '2s' }),
  'on-change': optional(text, { describe: 'what to run' }),
  server: list(ipAddress, { describe: 'whom', default: ['127.0.0.1'] }),
  strict: flag({ describe: 'how' }),
  once: flag({ describe: 'once', configurable: false }),
};

function given(texts: Readonly<Record<string, readonly string[]>>): Source {
  return argumentSource(new Map(Object.entries(texts)));
}

function fromFile(texts: Readonly<Record<string, readonly string[]>>): Source {
  return { ...given(texts), label: (name) => `/etc/x.toml: ${name}`, isFile: true };
}

test('where nothing is given, the defaults are taken', () => {
  expect(resolveOptions(table, [])).toEqual({
    'lock-wait': 2000,
    'on-change': undefined,
    server: [{ family: 4, text: '127.0.0.1' }],
    strict: false,
    once: false,
  });
});

test('the first source that names an option wins, for each option on its own', () => {
  const sources = [
    given({ 'lock-wait': ['1s'] }),
    environmentSource({ ANYCAST_HA_LOCK_WAIT: '3s', ANYCAST_HA_STRICT: 'yes' }, table),
    fromFile({ 'lock-wait': ['4s'], strict: ['false'], 'on-change': ['x'] }),
  ];
  expect(resolveOptions(table, sources)).toMatchObject({
    'lock-wait': 1000,
    strict: true,
    'on-change': 'x',
  });
});

test('a single-valued option given twice: the last wins; a list replaces the defaults', () => {
  const source = given({ 'lock-wait': ['1s', '5s'], server: ['::1', '192.0.2.1'] });
  const values = resolveOptions(table, [source]);
  expect(values['lock-wait']).toBe(5000);
  expect(values.server.map((server) => server.text)).toEqual(['::1', '192.0.2.1']);
});

describe('the environment', () => {
  test('names options in capitals, and lists with commas', () => {
    const source = environmentSource({ ANYCAST_HA_SERVER: '::1, 192.0.2.1' }, table);
    expect(resolveOptions(table, [source]).server.map((server) => server.text)).toEqual([
      '::1',
      '192.0.2.1',
    ]);
  });

  test('an empty variable, one of another executable and one-off modes do not count', () => {
    const environment = {
      ANYCAST_HA_LOCK_WAIT: '',
      ANYCAST_HA_ELSEWHERE: 'x',
      ANYCAST_HA_ONCE: 'true',
      LOCK_WAIT: '9s',
    };
    expect(environmentSource(environment, table).texts.size).toBe(0);
  });
});

describe('a mistake names where it is', () => {
  test.each([
    [given({ 'lock-wait': ['soon'] }), UsageError, /^--lock-wait: 'soon' is no duration/],
    [
      environmentSource({ ANYCAST_HA_SERVER: 'localhost' }, table),
      UsageError,
      /^ANYCAST_HA_SERVER: 'localhost' is no IP address/,
    ],
    [fromFile({ strict: ['maybe'] }), ConfigurationError, /^\/etc\/x\.toml: strict: 'maybe'/],
    [given({ 'lock-wait': ['soon', '1s'] }), UsageError, /^--lock-wait/],
  ] as const)('%#', (source, Kind, message) => {
    expect(() => resolveOptions(table, [source])).toThrow(Kind);
    expect(() => resolveOptions(table, [source])).toThrow(message);
  });

  test('what is hidden behind an earlier source is not judged', () => {
    const sources = [given({ 'lock-wait': ['1s'] }), fromFile({ 'lock-wait': ['soon'] })];
    expect(resolveOptions(table, sources)['lock-wait']).toBe(1000);
  });

  test('an error that is none of the value is passed on', () => {
    const broken = {
      ...value(duration, { describe: 'x', default: '1s' }),
      parse: () => {
        throw new TypeError('a bug');
      },
    };
    expect(() => resolveOptions({ broken }, [given({ broken: ['1'] })])).toThrow(TypeError);
  });
});

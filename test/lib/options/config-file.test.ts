import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  configurationFiles,
  configurationSource,
  instanceOfFile,
} from '../../../src/lib/options/config-file.ts';
import { flag, list, value } from '../../../src/lib/options/option.ts';
import { duration, ipAddress, text, wholeNumber } from '../../../src/lib/options/value-parsers.ts';
import { ConfigurationError } from '../../../src/lib/system/errors.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../support/temporary-folder.ts';

const folder = createTemporaryFolder();
const uid = process.getuid?.() ?? 0;
let files = 0;

afterAll(() => {
  removeTemporaryFolder(folder);
});

const table = {
  rise: value(wholeNumber(1, 9), { describe: 'n', default: '2' }),
  lease: value(duration, { describe: 'n', default: '5m' }),
  address: list(ipAddress, { describe: 'n' }),
  answer: value(text, { describe: 'n', default: 'x' }),
  dnssec: flag({ describe: 'n' }),
  withdraw: flag({ describe: 'n', configurable: false }),
};

function newFile(content: string): string {
  const file = path.join(folder, `file-${(files += 1)}.toml`);
  writeFileSync(file, content);
  return file;
}

function read(file: string): unknown {
  return Object.fromEntries(configurationSource(file, table, uid).texts);
}

describe('a file', () => {
  test('has the options as keys', () => {
    const content = `
      # two addresses
      address = ["198.51.100.1", "2001:db8::1"]
      rise = 3
      lease = "10m"
      answer = '"v=spf1"'
      dnssec = true
    `;
    expect(read(newFile(content))).toEqual({
      address: ['198.51.100.1', '2001:db8::1'],
      rise: ['3'],
      lease: ['10m'],
      answer: ['"v=spf1"'],
      dnssec: ['true'],
    });
  });

  test('may be empty, and a list may be one value', () => {
    expect(read(newFile(''))).toEqual({});
    expect(read(newFile('address = "198.51.100.1"'))).toEqual({ address: ['198.51.100.1'] });
  });

  test('is named in messages, with the key', () => {
    const file = newFile('rise = 3');
    const source = configurationSource(file, table, uid);
    expect(source.label('rise')).toBe(`${file}: rise`);
    expect(source.isFile).toBe(true);
  });
});

describe('a mistake', () => {
  test.each([
    ['raise = 3', "unknown key 'raise' (did you mean 'rise'?)"],
    ['completely-different = 3', "unknown key 'completely-different'"],
    ['constructor = 3', "unknown key 'constructor'"],
    ['__proto__ = 3', "unknown key '__proto__'"],
    ['withdraw = true', 'withdraw: can only be given on the command line'],
    ['rise = [1, 2]', 'rise: takes one value, not a list'],
    ['rise = true', 'rise: must be a string or a number'],
    ['rise = 2026-11-22', 'rise: must be a string or a number'],
    ['dnssec = "true"', 'dnssec: must be true or false'],
    ['dnssec = 1', 'dnssec: must be true or false'],
    ['address = []', 'address: must not be empty'],
    ['address = [["198.51.100.1"]]', 'address: must be a string or a number'],
    ['[rise]\nx = 1', 'rise: must be a string or a number'],
    ['rise = 1\nrise = 2', 'line 2'],
    ['\n\nrise = = 2', 'line 3, column'],
    ['rise', 'line 1'],
  ])('%j is told with file and place, in one line', (content, message) => {
    const file = newFile(content);
    expect(() => read(file)).toThrow(ConfigurationError);
    expect(() => read(file)).toThrow(message);
    expect(() => read(file)).toThrow(new RegExp(`^${file}: [^\n]*$`));
  });
});

describe('a file that cannot be trusted or read', () => {
  test('may be written by others', () => {
    const file = newFile('');
    chmodSync(file, 0o646);
    expect(() => read(file)).toThrow('can be written by others');
  });

  test.each([0o664, 0o666, 0o620, 0o602])('has mode %o, which lets others write', (mode) => {
    const file = newFile('');
    chmodSync(file, mode);
    expect(() => read(file)).toThrow(ConfigurationError);
    expect(() => read(file)).toThrow('can be written by others: refused');
  });

  test('is in a folder that others can write to, unless only owners replace their files there', () => {
    const open = path.join(folder, 'open');
    mkdirSync(open);
    const file = path.join(open, 'one.toml');
    writeFileSync(file, '');
    for (const mode of [0o775, 0o757, 0o777]) {
      chmodSync(open, mode);
      expect(() => read(file)).toThrow(`is in a folder that others can write to (${open})`);
    }
    chmodSync(open, 0o1777);
    expect(() => read(file)).not.toThrow();
    chmodSync(open, 0o755);
    expect(() => read(file)).not.toThrow();
    chownSync(open, 65_534, 65_534);
    expect(() => read(file)).toThrow('is in a folder that others can write to');
  });

  test('belongs to somebody else', () => {
    const file = newFile('');
    chownSync(file, 65_534, 65_534);
    expect(() => read(file)).toThrow('can be written by others');
    expect(() => configurationSource(file, table, 65_534)).not.toThrow();
  });

  test('is a link', () => {
    const link = path.join(folder, 'link.toml');
    symlinkSync(newFile(''), link);
    expect(() => read(link)).toThrow('is a symbolic link: refused');
  });

  test('is missing, a folder, a FIFO, or a giant', () => {
    expect(() => read(path.join(folder, 'missing'))).toThrow('no such file');
    expect(() => read(folder)).toThrow('no regular file');
    const fifo = path.join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    expect(() => read(fifo)).toThrow('no regular file');
    expect(() => read(newFile(' '.repeat(1024 * 1024 + 1)))).toThrow('longer than');
  });
});

describe('the files of a run', () => {
  test('are files as named, and all *.toml of folders, sorted', () => {
    const several = path.join(folder, 'several');
    mkdirSync(several);
    for (const name of ['b.toml', 'a.toml', '.hidden.toml', 'c.toml~', 'README']) {
      writeFileSync(path.join(several, name), '');
    }
    const single = newFile('');
    expect(configurationFiles([single, several])).toEqual([
      single,
      path.join(several, 'a.toml'),
      path.join(several, 'b.toml'),
    ]);
    expect(configurationFiles([path.relative(process.cwd(), single)])).toEqual([single]);
  });

  test('must exist', () => {
    expect(() => configurationFiles(['/nonexistent'])).toThrow('/nonexistent: no such file');
    const empty = path.join(folder, 'empty');
    mkdirSync(empty);
    expect(() => configurationFiles([empty])).toThrow('holds no *.toml');
  });

  test('name their instances', () => {
    expect(instanceOfFile('/etc/anycast-ha/dns.toml')).toBe('dns');
    expect(instanceOfFile('/etc/anycast-ha/dns.v2.toml')).toBe('dns.v2');
    expect(instanceOfFile('/etc/dns.conf')).toBe('dns.conf');
  });
});

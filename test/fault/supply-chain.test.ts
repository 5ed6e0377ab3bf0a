import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCommand } from '../support/child.ts';
import { ROOT } from '../support/executable.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.ts';

interface Manifest {
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies?: unknown;
  readonly optionalDependencies?: unknown;
  readonly peerDependencies?: unknown;
}

const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as Manifest;

test('the package brings no other package along, and runs nothing when it is installed', () => {
  expect(manifest.dependencies).toBeUndefined();
  expect(manifest.optionalDependencies).toBeUndefined();
  expect(manifest.peerDependencies).toBeUndefined();
  for (const name of ['preinstall', 'install', 'postinstall', 'preuninstall', 'postuninstall']) {
    expect(Object.keys(manifest.scripts)).not.toContain(name);
  }
});

let folder: string;
beforeEach(() => {
  folder = createTemporaryFolder();
});
afterEach(() => {
  removeTemporaryFolder(folder);
});

/** What dist/CONTENTS.txt says of each executable: packages with bytes and version. */
function contents(): ReadonlyMap<string, ReadonlyMap<string, readonly [number, string]>> {
  const [, ...sections] = readFileSync(path.join(ROOT, 'dist/CONTENTS.txt'), 'utf8').split('\n== ');
  return new Map(
    sections.map((section) => {
      const [name = '', ...lines] = section.trim().split('\n');
      const packages = lines.map((line): [string, readonly [number, string]] => {
        const [bytes, title = '', version = ''] = line.trim().split(' ');
        return [title, [Number(bytes), version]];
      });
      return [name, new Map(packages)];
    }),
  );
}

test('the contents of every executable are listed, with sizes, as locked, and with a licence', () => {
  const listed = contents();
  const names = readdirSync(path.join(ROOT, 'src/bin')).map((file) => path.parse(file).name);
  expect([...listed.keys()]).toEqual(names.sort());
  const lock = readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8');
  const { packages } = JSON.parse(lock) as {
    readonly packages: Readonly<Record<string, { version?: string; integrity?: string }>>;
  };
  const licences = readFileSync(path.join(ROOT, 'dist/LICENSES.txt'), 'utf8');
  for (const executable of listed.values()) {
    expect(executable.get('anycast-ha')?.[0]).toBeGreaterThan(10_000);
    for (const [title, [, version]] of executable) {
      if (title === 'anycast-ha') continue;
      const locked = Object.entries(packages).filter(
        ([where, entry]) => where.endsWith(`node_modules/${title}`) && entry.version === version,
      );
      expect(locked.map(([, { integrity }]) => integrity?.slice(0, 7))).toContain('sha512-');
      expect(licences).toContain(`== ${title}\n`);
    }
  }
  expect(listed.get('dns-probe')?.get('dns-packet')?.[0]).toBeGreaterThan(1000);
  expect(listed.get('ha-resume')?.has('dns-packet')).toBe(false);
});

test('scripts/install needs no network', async () => {
  const install = [path.join(ROOT, 'scripts/install'), '--destdir', folder];
  const ran = await runCommand('unshare', ['--net', ...install, '--node', process.execPath]);
  expect(ran).toEqual({ exitCode: 0, signal: null, stdout: '', stderr: '' });
  expect(existsSync(path.join(folder, 'usr/local/sbin/dns-probe'))).toBe(true);
});

describe('scripts/audit.mjs', () => {
  test.each([
    ['nothing', { vulnerabilities: {} }, 0, 'advisories for 0; for 0 of the tools'],
    [
      'something in a tool',
      { vulnerabilities: { vitest: { severity: 'high' } } },
      0,
      'advisories for 0; for 1 of the tools',
    ],
    [
      'something that is shipped',
      { vulnerabilities: { execa: { severity: 'high' } } },
      1,
      'execa: high, and it is shipped',
    ],
    [
      'that it offers no audits',
      { message: '405 Method Not Allowed - POST /audits' },
      69,
      'not audited: 405 Method Not Allowed',
    ],
  ])(
    'a registry that says %s: exit status and words are true',
    async (_, answer, status, words) => {
      const npm = `#!/bin/sh\ncat <<'END'\n${JSON.stringify(answer)}\nEND\n`;
      writeFileSync(path.join(folder, 'npm'), npm, { mode: 0o755 });
      const env = { ...process.env, PATH: `${folder}:/usr/bin:/bin` };
      const args = [path.join(ROOT, 'scripts/audit.mjs')];
      const { exitCode, stdout } = await runCommand(process.execPath, args, { env });
      expect(stdout).toContain(words);
      expect(exitCode).toBe(status);
    },
  );
});

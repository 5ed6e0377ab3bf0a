import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCommand, type Finished } from '../support/child.ts';
import { ROOT } from '../support/executable.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const EXECUTABLES = readdirSync(path.join(ROOT, 'src/bin')).map((file) => path.parse(file).name);
const NODE = process.execPath;

let folder: string;

beforeEach(() => {
  folder = createTemporaryFolder();
});

afterEach(() => {
  removeTemporaryFolder(folder);
});

function script(name: string, ...args: readonly string[]): Promise<Finished> {
  return runCommand(path.join(ROOT, 'scripts', name), args, { timeoutMs: 60_000 });
}

/** All files below a folder, relative to it. */
function filesBelow(base: string): readonly string[] {
  return readdirSync(base, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(base, path.join(entry.parentPath, entry.name)))
    .sort();
}

describe('scripts/install', () => {
  const edited = (): string => path.join(folder, 'etc/anycast-ha/recursive.toml');
  const example = 'usr/local/share/doc/anycast-ha/examples/config/recursive.toml';

  test('puts every file where it belongs, and scripts/uninstall takes it out again', async () => {
    expect(await script('install', '--destdir', folder, '--node', NODE)).toMatchObject({
      exitCode: 0,
      stdout: '',
      stderr: '',
    });
    const files = filesBelow(folder);
    for (const name of EXECUTABLES) {
      expect(files).toContain(`usr/local/sbin/${name}`);
      expect(files).toContain(`usr/local/share/man/man8/${name}.8`);
      expect(files).toContain(`usr/local/share/bash-completion/completions/${name}`);
      expect(files).toContain(`usr/local/share/zsh/site-functions/_${name}`);
      expect(statSync(path.join(folder, 'usr/local/sbin', name)).mode & 0o777).toBe(0o755);
    }
    for (const name of EXECUTABLES.filter((file) => file.endsWith('-probe'))) {
      expect(files).toContain(`usr/local/lib/systemd/system/${name}@.service`);
      expect(files).toContain(`usr/local/lib/systemd/system/${name}@.timer`);
    }
    expect(files).toContain('usr/local/share/man/man7/anycast-ha.7');
    expect(files).toContain('usr/local/lib/systemd/network/10-anycast-ha.network');
    expect(files).toContain('usr/local/lib/NetworkManager/conf.d/10-anycast-ha.conf');
    expect(files).toContain(example);
    // Whose it is to write, nobody else writes.
    expect(files.filter((file) => file.startsWith('etc/'))).toEqual([]);

    expect((await script('uninstall', '--destdir', folder)).exitCode).toBe(0);
    expect(filesBelow(folder)).toEqual([]);
    expect((await script('uninstall', '--destdir', folder)).exitCode).toBe(66);
  });

  test('its executables need neither PATH nor a sane environment', async () => {
    await script('install', '--destdir', folder, '--node', NODE);
    for (const name of EXECUTABLES) {
      const file = path.join(folder, 'usr/local/sbin', name);
      const env = { PATH: '', NODE_OPTIONS: '--no-such-option' };
      expect(await runCommand(file, ['--version'], { env })).toMatchObject({
        exitCode: 0,
        stdout: `${name} 0.2.0\n`,
        stderr: '',
      });
    }
  });

  test('leaves a configuration alone that somebody edited, also when it goes', async () => {
    await script('install', '--destdir', folder, '--node', NODE);
    writeFileSync(edited(), 'address = "192.0.2.1"\n');
    await script('install', '--destdir', folder, '--node', NODE);
    expect(readFileSync(edited(), 'utf8')).toBe('address = "192.0.2.1"\n');
    await script('uninstall', '--destdir', folder);
    expect(filesBelow(folder)).toEqual(['etc/anycast-ha/recursive.toml']);
  });

  test('removes what an earlier version installed and this one does not', async () => {
    await script('install', '--destdir', folder, '--node', NODE);
    const manifest = path.join(folder, 'usr/local/share/anycast-ha/installed');
    const old = path.join(folder, 'usr/local/sbin/old-probe');
    writeFileSync(old, '');
    writeFileSync(manifest, `${readFileSync(manifest, 'utf8')}/usr/local/sbin/old-probe\n`);
    await script('install', '--destdir', folder, '--node', NODE);
    expect(existsSync(old)).toBe(false);
    expect(existsSync(path.join(folder, 'usr/local/sbin/dns-probe'))).toBe(true);
  });

  test('takes another prefix, and says so in the units', async () => {
    await script('install', '--destdir', folder, '--prefix', '/usr', '--node', '/usr/bin/node');
    const unit = path.join(folder, 'usr/lib/systemd/system/dns-probe@.service');
    expect(readFileSync(unit, 'utf8')).toContain('ExecStart=/usr/sbin/dns-probe ');
    const executable = path.join(folder, 'usr/sbin/dns-probe');
    expect(readFileSync(executable, 'utf8').split('\n')[0]).toBe(
      '#!/usr/bin/env -S -u NODE_OPTIONS /usr/bin/node',
    );
    expect((await script('install', '--prefix', 'relative')).exitCode).toBe(64);
    expect((await script('install', '--unknown')).exitCode).toBe(64);
  });

  test(
    'replaces files so that nobody starts a half-written one',
    { timeout: 120_000 },
    async () => {
      await script('install', '--destdir', folder, '--node', NODE);
      const file = path.join(folder, 'usr/local/sbin/ha-status');
      let done = false;
      const installing = (async (): Promise<void> => {
        for (let round = 0; round < 3; round += 1) {
          await script('install', '--destdir', folder, '--node', NODE);
        }
        done = true;
      })();
      let started = 0;
      await until(
        'three installations',
        async () => {
          const { exitCode, stderr } = await runCommand(file, ['--version']);
          expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
          started += 1;
          return done;
        },
        { timeoutMs: 100_000, everyMs: 0 },
      );
      await installing;
      expect(started).toBeGreaterThan(3);
    },
  );
});

describe('the npm package', () => {
  test('holds what users need, and npm install -g makes it run', { timeout: 240_000 }, async () => {
    const npm = (...args: readonly string[]): Promise<Finished> =>
      runCommand('npm', args, { cwd: ROOT, timeoutMs: 120_000 });
    const packed = await npm('pack', '--ignore-scripts', '--json', '--pack-destination', folder);
    const [report] = JSON.parse(packed.stdout) as readonly {
      readonly filename: string;
      readonly files: readonly { readonly path: string }[];
    }[];
    const files = (report?.files ?? []).map((file) => file.path);
    const needed =
      /^(dist\/(?!built)|scripts\/(un)?install$|scripts\/(cron|examples|metrics|network|routing)\/|[A-Z]+(\.md)?$|package\.json$)/;
    expect(files.filter((file) => !needed.test(file))).toEqual([]);
    for (const name of EXECUTABLES) expect(files).toContain(`dist/${name}`);

    const prefix = path.join(folder, 'prefix');
    const archive = path.join(folder, String(report?.filename));
    const installed = await npm('install', '-g', '--offline', '--prefix', prefix, archive);
    expect(installed, installed.stderr).toMatchObject({ exitCode: 0 });
    for (const name of EXECUTABLES) {
      const run = await runCommand(path.join(prefix, 'bin', name), ['--version']);
      expect(run).toMatchObject({ exitCode: 0, stdout: `${name} 0.2.0\n`, stderr: '' });
      expect(existsSync(path.join(prefix, `share/man/man8/${name}.8`))).toBe(true);
    }
    const second = await runCommand(
      path.join(prefix, 'lib/node_modules/anycast-ha/scripts/install'),
      ['--destdir', path.join(folder, 'root'), '--node', NODE],
    );
    expect(second, second.stderr).toMatchObject({ exitCode: 0 });
    expect(existsSync(path.join(folder, 'root/usr/local/sbin/dns-probe'))).toBe(true);
  });
});

describe('the Debian package', () => {
  test('has no errors for lintian, and is the same each time', { timeout: 300_000 }, async () => {
    const file = path.join(folder, 'anycast-ha_0.2.0_all.deb');
    expect((await script('package', folder)).exitCode).toBe(0);
    const first = readFileSync(file);
    expect((await script('package', folder)).exitCode).toBe(0);
    expect(readFileSync(file).equals(first)).toBe(true);

    const lintian = await runCommand('lintian', ['--fail-on', 'error,warning', file], {
      timeoutMs: 240_000,
    });
    expect(lintian, lintian.stdout).toMatchObject({ exitCode: 0, stdout: '' });

    const about = await runCommand('dpkg-deb', ['--field', file, 'Depends', 'Version']);
    expect(about.stdout).toBe('Depends: nodejs (>= 20.19), iproute2\nVersion: 0.2.0\n');
    const control = await runCommand('dpkg-deb', ['--ctrl-tarfile', file]);
    expect(control.stdout).not.toContain('conffiles');
  });
});

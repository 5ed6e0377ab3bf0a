import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Daemon } from './daemon.ts';
import { ROOT } from './executable.ts';
import type { OverlayRoot } from './overlay-root.ts';
import type { Namespace } from './namespace.ts';

/** Where scripts/check unpacks packages that cannot be installed beside those of the tests. */
const UNPACKED = path.join(ROOT, 'node_modules/.cache/debian');
const LIBRARIES = path.join(UNPACKED, 'usr/lib/x86_64-linux-gnu');

export interface SyslogSetup {
  readonly namespace: Namespace;
  /** For the daemon's own files and its configuration. */
  readonly folder: string;
  readonly configuration: string;
  readonly ready: () => boolean | Promise<boolean>;
}

/** An example as it is shipped. */
export function readSyslogExample(name: string): string {
  return readFileSync(path.join(ROOT, 'scripts/examples', name), 'utf8');
}

export function startSyslogNg({
  namespace,
  folder,
  configuration,
  ready,
}: SyslogSetup): Promise<Daemon> {
  // The examples are for its conf.d, where only the main file names the version.
  const file = writeConfiguration(folder, `@version: 3.38\n${configuration}`);
  return Daemon.start({
    namespace,
    program: 'syslog-ng',
    args: [
      ...['--foreground', '--no-caps', '--cfgfile', file],
      ...['--persist-file', path.join(folder, 'persist'), '--pidfile', path.join(folder, 'pid')],
      ...['--control', path.join(folder, 'control')],
    ],
    ready,
  });
}

export function startRsyslog({
  namespace,
  folder,
  configuration,
  ready,
}: SyslogSetup): Promise<Daemon> {
  const program = path.join(UNPACKED, 'usr/sbin/rsyslogd');
  if (!existsSync(program)) throw new Error(`${program} is missing: scripts/check unpacks it`);
  const file = writeConfiguration(folder, configuration);
  return Daemon.start({
    namespace,
    program,
    args: [
      ...['-n', '-f', file, '-M', path.join(LIBRARIES, 'rsyslog')],
      ...['-i', path.join(folder, 'pid')],
    ],
    env: { ...process.env, LD_LIBRARY_PATH: LIBRARIES },
    ready,
  });
}

/** Gives a copy of this machine the rsyslog that cannot be installed on it beside syslog-ng. */
export function addRsyslog(root: OverlayRoot): void {
  for (const [from, to] of [
    ['usr/sbin/rsyslogd', '/usr/sbin/rsyslogd'],
    ['usr/lib/x86_64-linux-gnu', '/usr/lib/x86_64-linux-gnu'],
    ['lib/systemd/system/rsyslog.service', '/usr/lib/systemd/system/rsyslog.service'],
    ['etc/rsyslog.conf', '/etc/rsyslog.conf'],
  ] as const) {
    cpSync(path.join(UNPACKED, from), root.path(to), { recursive: true, verbatimSymlinks: true });
  }
  for (const folder of ['/etc/rsyslog.d', '/var/spool/rsyslog']) {
    mkdirSync(root.path(folder), { recursive: true });
  }
}

function writeConfiguration(folder: string, configuration: string): string {
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'conf');
  writeFileSync(file, configuration);
  return file;
}

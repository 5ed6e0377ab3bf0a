import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { Child, runCommand, type Finished } from './child.ts';
import { ROOT } from './executable.ts';
import { Namespace } from './namespace.ts';
import { OverlayRoot } from './overlay-root.ts';
import { until } from './until.ts';

/** What a container's manager does before it starts systemd (systemd's CONTAINER_INTERFACE). */
const INIT = `
set -e
R=$1
mount --make-rprivate /
mount --bind "$R" "$R"
mount -t proc proc "$R/proc"
mount -t sysfs -o ro sysfs "$R/sys"
mount -t cgroup2 cgroup2 "$R/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$R/dev"
for device in null zero full random urandom tty; do
  touch "$R/dev/$device"
  mount --bind "/dev/$device" "$R/dev/$device"
done
ln -s /proc/self/fd "$R/dev/fd"
for number in 0 1 2; do ln -s "/proc/self/fd/$number" "$R/dev/std$number"; done
mkdir "$R/dev/shm" "$R/dev/pts"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$R/dev/pts"
ln -s pts/ptmx "$R/dev/ptmx"
touch "$R/dev/console"
mount -t tmpfs -o mode=755 tmpfs "$R/run"
mount -t tmpfs -o mode=1777 tmpfs "$R/tmp"
ip link set lo up
hostname node
cd "$R"
mkdir -p old-root
pivot_root . old-root
umount -l /old-root
mount --make-rshared /
exec env -i container=test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \\
  /lib/systemd/systemd --system --unit=multi-user.target --log-target=journal --show-status=no
`;

let count = 0;

/** The names of the machines' cgroups begin so; the process that made them follows. */
const GROUP = 'anycast-ha-test-';

/**
 * A real systemd as PID 1 of namespaces of its own, over a copy of this machine's files that
 * outlives reboots. Nothing is enabled there but what a test enables.
 */
export class BootedSystemd {
  readonly root: OverlayRoot;
  readonly namespace: Namespace;
  readonly #cgroup: string;
  #init: Child | undefined;
  #pid = 0;

  private constructor(root: OverlayRoot, namespace: Namespace, cgroup: string) {
    this.root = root;
    this.namespace = namespace;
    this.#cgroup = cgroup;
  }

  /**
   * Prepares the machine; `boot` starts it.
   *
   * @param lower the root that it is a copy of: another release's, in place of this machine's own
   */
  static async create(lower = '/'): Promise<BootedSystemd> {
    const root = await OverlayRoot.create(lower);
    const namespace = await Namespace.create();
    const groups = cgroupMount();
    sweepGroups(groups);
    const cgroup = path.join(groups, `${GROUP}${process.pid}-${(count += 1)}`);
    mkdirSync(cgroup);
    rmSync(root.path('/etc/systemd/system'), { recursive: true });
    mkdirSync(root.path('/etc/systemd/system'));
    symlinkSync('/dev/null', root.path('/etc/systemd/system/console-getty.service'));
    // What this machine itself runs and has suspended is no affair of a test.
    for (const folder of ['/etc/anycast-ha', '/var/lib/anycast-ha']) {
      rmSync(root.path(folder), { recursive: true, force: true });
    }
    writeFileSync(root.path('/etc/fstab'), '');
    writeFileSync(root.path('/etc/machine-id'), '00000000000000000000000000000001\n');
    mkdirSync(root.path('/etc/systemd/journald.conf.d'), { recursive: true });
    writeFileSync(
      root.path('/etc/systemd/journald.conf.d/test.conf'),
      '[Journal]\nStorage=persistent\nRateLimitIntervalSec=0\n',
    );
    return new BootedSystemd(root, namespace, cgroup);
  }

  /** Writes a file of the machine. */
  write(file: string, text: string, mode = 0o644): void {
    mkdirSync(path.dirname(this.root.path(file)), { recursive: true });
    writeFileSync(this.root.path(file), text, { mode });
  }

  /** Writes the configuration of an instance. */
  configure(instance: string, toml: string): void {
    this.write(`/etc/anycast-ha/${instance}.toml`, toml);
  }

  /**
   * Installs this tree with scripts/install.
   *
   * @param node what the executables run with: the tests' own, or one that the machine has
   */
  async install(node = process.execPath): Promise<void> {
    const { exitCode, stderr } = await runCommand(path.join(ROOT, 'scripts/install'), [
      '--destdir',
      this.root.path('/'),
      '--node',
      node,
    ]);
    if (exitCode !== 0) throw new Error(`scripts/install: ${stderr}`);
  }

  /** @throws Error when it does not come up */
  async boot(): Promise<void> {
    const enter = ['--mount', `--target=${this.root.holderPid}`];
    const network = `--net=/run/netns/${this.namespace.name}`;
    const unshare = ['unshare', '--pid', '--fork', '--mount', '--uts', '--ipc', '--cgroup'];
    this.#init = await Child.start(
      'sh',
      [
        '-c',
        'echo $$ >"$0/cgroup.procs" && exec "$@"',
        this.#cgroup,
        ...['nsenter', ...enter, network, ...unshare, 'bash', '-c', INIT, 'bash', this.root.inside],
      ],
      { timeoutMs: 1_800_000, env: { PATH: process.env['PATH'] } },
    );
    const { pid } = this.#init;
    await until(
      'systemd up',
      async () => {
        if (this.#init?.running !== true) return true;
        const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
        this.#pid = Number(children.split(' ')[0]);
        if (this.#pid === 0) return false;
        const { stdout } = await this.run('systemctl', 'is-system-running');
        return ['running', 'degraded'].includes(stdout.trim());
      },
      { timeoutMs: 60_000 },
    );
    if (!this.#init.running) throw new Error(`systemd ended: ${this.#init.output}`);
  }

  /** Runs a program on the machine, to its end. */
  run(program: string, ...args: readonly string[]): Promise<Finished> {
    return runCommand('nsenter', ['-t', String(this.#pid), '-a', program, ...args], {
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
      timeoutMs: 90_000,
    });
  }

  /** Runs a program on the machine. Throws Error when it fails. */
  async must(program: string, ...args: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(program, ...args);
    if (exitCode !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}${stdout}`);
    return stdout;
  }

  /** A property of a unit. */
  async property(unit: string, name: string): Promise<string> {
    return (await this.must('systemctl', 'show', '--value', '-p', name, unit)).trim();
  }

  /** What the journal has of our executables and units since then, systemd's own lines too. */
  async ownJournal(sinceMs: number): Promise<readonly JournalEntry[]> {
    const since = `--since=@${(sinceMs / 1000).toFixed(3)}`;
    return (await this.journal(since)).filter(({ SYSLOG_IDENTIFIER, UNIT, _SYSTEMD_UNIT }) =>
      [SYSLOG_IDENTIFIER, UNIT, _SYSTEMD_UNIT].some((name) =>
        /-probe|ha-|anycast/.test(name ?? ''),
      ),
    );
  }

  /** What the journal has, as objects with the journal's field names; oldest first. */
  async journal(...filters: readonly string[]): Promise<readonly JournalEntry[]> {
    const printed = await this.must('journalctl', '-q', '-o', 'json', '--no-pager', ...filters);
    return printed
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as JournalEntry);
  }

  /** Shuts down as the machine's own command would. */
  async shutDown(how: 'reboot' | 'poweroff' = 'poweroff'): Promise<void> {
    await this.run('systemctl', how);
    await this.#ended();
  }

  async reboot(): Promise<void> {
    await this.shutDown('reboot');
    await this.boot();
  }

  async #ended(): Promise<void> {
    const timer = setTimeout(() => {
      this.kill();
    }, 60_000);
    await this.#init?.finished;
    clearTimeout(timer);
    this.#init = undefined;
  }

  /** As if the power went. */
  kill(): void {
    if (this.#pid === 0) return;
    try {
      process.kill(this.#pid, 'SIGKILL');
    } catch {
      // Gone already.
    }
  }

  async dispose(): Promise<void> {
    this.kill();
    await this.#init?.finished;
    await this.namespace.dispose();
    await this.root.dispose();
    await until('cgroups removed', () => {
      removeGroups(this.#cgroup);
      return true;
    });
  }
}

export interface JournalEntry {
  readonly MESSAGE: string;
  readonly PRIORITY: string;
  readonly SYSLOG_IDENTIFIER?: string;
  readonly _SYSTEMD_UNIT?: string;
  readonly UNIT?: string;
  /** Microseconds since the epoch. */
  readonly __REALTIME_TIMESTAMP: string;
}

/** Where this machine has its cgroups of version 2. */
function cgroupMount(): string {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const mount = mounts.find((line) => line.includes(' - cgroup2 '))?.split(' ')[4];
  if (mount === undefined) throw new Error('this machine has no cgroup2');
  return mount;
}

/** Ends the machines of tests that were killed. */
function sweepGroups(mount: string): void {
  for (const name of readdirSync(mount).filter((entry) => entry.startsWith(GROUP))) {
    const pid = /\d+/.exec(name)?.[0] ?? '';
    if (existsSync(`/proc/${pid}`)) continue;
    try {
      writeFileSync(path.join(mount, name, 'cgroup.kill'), '1');
      removeGroups(path.join(mount, name));
    } catch {
      // Its processes are about to end: the next sweep has it.
    }
  }
}

function removeGroups(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeGroups(path.join(folder, entry.name));
  }
  rmdirSync(folder);
}

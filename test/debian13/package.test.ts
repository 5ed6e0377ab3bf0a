import { copyFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { seal, unseal } from '../../src/lib/state/sealed-text.ts';
import type { BootedSystemd } from '../support/booted-systemd.ts';
import { repackAsOlder } from '../support/package.ts';
import { bootBesidePackage, createDebian13, firstConfiguration } from '../support/debian13.ts';
import { ADDRESSES, untilAdvertised } from '../support/dns-machine.ts';
import { ROOT } from '../support/executable.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

// A whole machine boots here, maybe beside other tests.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const [V4, V6] = ['192.0.2.1', '2001:db8::1'];
const SERVICE = 'dns-probe@dns.service';
const TIMER = 'dns-probe@dns.timer';

let folder: string;
let machine: BootedSystemd;

beforeAll(async () => {
  folder = createTemporaryFolder();
  machine = await createDebian13();
  await bootBesidePackage(machine, folder);
});

afterAll(async () => {
  await machine.dispose();
  removeTemporaryFolder(folder);
});

/** What FRR's OSPF announces of its own: external LSAs, of both versions. */
async function announcedByFrr(): Promise<readonly string[]> {
  const four = await machine.must('vtysh', '-c', 'show ip ospf database external self-originate');
  const six = await machine.must('vtysh', '-c', 'show ipv6 ospf6 database as-external detail');
  const live = four
    .split('\n\n')
    .filter((lsa) => !lsa.includes('LS age: 3600'))
    .join('\n');
  return [
    ...(live.includes(`Link State ID: ${V4} `) ? [V4] : []),
    ...six
      .split('\n\n')
      .filter((lsa) => !/Age: *3600/.test(lsa) && lsa.includes(`Prefix: ${V6}/128`))
      .slice(0, 1)
      .map(() => V6),
  ];
}

async function untilAnnounced(
  announced: () => Promise<readonly string[]>,
  wanted: readonly string[],
): Promise<void> {
  await until(
    `announced: ${wanted.join(' ') || 'nothing'}`,
    async () => {
      const found = await announced();
      if (found.join(' ') !== wanted.join(' ')) throw new Error(found.join(' ') || 'nothing');
      return true;
    },
    { timeoutMs: 60_000, everyMs: 300 },
  );
}

test('it is Debian 13, with a Node of its own', async () => {
  expect(await machine.must('cat', '/etc/debian_version')).toMatch(/^13\./);
  expect(await machine.must('/usr/bin/node', '--version')).toMatch(/^v20\.19\./);
  expect(await machine.must('dpkg-query', '-W', 'frr')).toMatch(/10\./);
});

describe("the README's first configuration, line by line", () => {
  test('ends with both addresses announced by FRR 10', async () => {
    const lines = firstConfiguration(readFileSync(path.join(ROOT, 'README.md'), 'utf8'));
    expect(lines.trim().split('\n').length).toBeLessThan(16);
    const output = await machine.must('sh', '-exc', `cd /root\n${lines}`);
    expect(output).toMatch(/dns +advertised +up/);
    expect(output).toContain(`Link State ID: ${V4}`);
    await untilAdvertised(machine, ADDRESSES);
    await untilAnnounced(announcedByFrr, [V4, V6]);
  });

  test('the resolver is none for everybody', async () => {
    const config = await machine.must('cat', '/etc/unbound/unbound.conf.d/service.conf');
    expect(config).not.toMatch(/access-control: (?:0\.0\.0\.0|::)\/0/);
    expect(config).toMatch(
      /access-control: [\d.]+\/\d+ allow\n +access-control: [0-9a-f:]+\/\d+ allow/,
    );
  });

  test('both go when the service dies, and nothing of them stays in the main table', async () => {
    await machine.must('systemctl', 'stop', 'unbound');
    await untilAdvertised(machine, []);
    await untilAnnounced(announcedByFrr, []);
    expect(await machine.must('ip', '-6', 'route', 'show', V6)).toBe('');
    await machine.must('systemctl', 'start', 'unbound');
    await untilAnnounced(announcedByFrr, [V4, V6]);
  });

  test('a lease that runs out leaves nothing either', async () => {
    await machine.must('systemctl', 'stop', TIMER);
    await machine.must('dns-probe', '--config', '/etc/anycast-ha/dns.toml', '--lease', '8s');
    await untilAdvertised(machine, []);
    await untilAnnounced(announcedByFrr, []);
    expect(await machine.must('ip', '-6', 'route', 'show', V6)).toContain('proto kernel');
    await machine.run('dns-probe', '--config', '/etc/anycast-ha/dns.toml', '--rise', '100');
    expect(await machine.must('ip', '-6', 'route', 'show', V6)).toBe('');
    await machine.must('systemctl', 'start', TIMER);
    await untilAnnounced(announcedByFrr, [V4, V6]);
  });

  test('the units are as hard there as here, and pass what systemd verifies', async () => {
    const verify = ['verify', '--recursive-errors=no', '--man=no', SERVICE];
    expect(await machine.run('systemd-analyze', ...verify)).toMatchObject({
      exitCode: 0,
      stdout: '',
      stderr: '',
    });
    const rated = await machine.must('systemd-analyze', 'security', '--no-pager', SERVICE);
    expect(Number(/exposure level[^\d]*([\d.]+)/.exec(rated)?.[1])).toBeLessThan(2.5);
  });
});

describe('the same with BIRD 2.17', () => {
  /** What its OSPF announces of its own: external routes, of both versions. */
  async function announcedByBird(): Promise<readonly string[]> {
    const shown = await Promise.all(
      ['ospf1', 'ospf2'].map((name) => machine.must('birdc', 'show', 'ospf', 'state', 'all', name)),
    );
    return [V4, V6].filter((address) => shown.join('\n').includes(`external ${address}/`));
  }

  test('announces both addresses, and withdraws both when the service dies', async () => {
    await machine.must('systemctl', 'stop', 'frr');
    await machine.must(
      'cp',
      '/usr/share/doc/anycast-ha/examples/routing/bird/node.conf',
      '/etc/bird/bird.conf',
    );
    await machine.must('systemctl', 'restart', 'bird');
    await until('BIRD 2.17', async () => {
      const { stdout } = await machine.run('birdc', 'show', 'status');
      return stdout.includes('BIRD 2.17');
    });
    await untilAnnounced(announcedByBird, [V4, V6]);
    await machine.must('systemctl', 'stop', 'unbound');
    await untilAnnounced(announcedByBird, []);
    await machine.must('systemctl', 'start', 'unbound');
    await untilAnnounced(announcedByBird, [V4, V6]);
    await machine.must('systemctl', 'stop', 'bird');
    await machine.must('systemctl', 'start', 'frr');
    await untilAnnounced(announcedByFrr, [V4, V6]);
  });
});

test('a reboot withdraws with drain before the service stops, and both come back', async () => {
  const startMs = Date.now();
  await machine.must('systemctl', 'enable', 'unbound', 'frr');
  await machine.reboot();
  await untilAdvertised(machine, ADDRESSES);
  const journal = await machine.journal(`--since=@${(startMs / 1000).toFixed(3)}`);
  const indexOf = (message: RegExp): number =>
    journal.findIndex(({ MESSAGE }) => message.test(MESSAGE));
  const withdrawn = indexOf(/ha-suspend: .*dns.*withdrew|ha-suspend: .*drain/);
  const stopped = indexOf(/^Stopping unbound\.service/);
  expect(stopped).toBeGreaterThan(-1);
  expect(withdrawn).toBeLessThan(stopped);
  // vtysh cannot work within the sandbox of the unit, and would tell of it by PAM.
  const complaints = journal.filter(({ MESSAGE }) => /vtysh|\bpam_/i.test(MESSAGE));
  expect(complaints.map(({ MESSAGE }) => MESSAGE)).toEqual([]);
  await untilAnnounced(announcedByFrr, [V4, V6]);
});

test('an upgrade from 0.1.0 withdraws nothing, keeps what was edited, and clears its cache', async () => {
  const [older, newer] = await repackAsOlder(folder);
  for (const file of [older, newer]) {
    copyFileSync(file, machine.root.path(`/root/${path.basename(file)}`));
  }
  await machine.must('systemctl', 'stop', TIMER);
  await machine.must('sh', '-c', `dpkg -i --force-downgrade /root/${path.basename(older)}`);
  // As 0.1.0 leaves it: the address without its prefix route, and code of its own.
  await machine.must('ip', 'address', 'del', `${V6}/128`, 'dev', 'lo');
  await machine.must(
    ...(['ip', 'address', 'add', `${V6}/128`, 'dev', 'lo', 'valid_lft', '300'] as const),
    ...['preferred_lft', '0', 'nodad', 'noprefixroute'],
  );
  await machine.must('touch', '/run/anycast-ha/.dns-probe.code');
  // A state of 0.1.0 does not say that the addresses have their routes.
  const state = '/run/anycast-ha/dns.json';
  const written = unseal(await machine.must('cat', state)) ?? '';
  machine.write('/root/state.json', `${seal(written.replace('"prefixRoutes":true,', ''))}\n`);
  await machine.must('cp', '/root/state.json', state);
  await machine.must('sh', '-c', 'echo "# edited" >>/etc/anycast-ha/dns.toml');
  await untilAnnounced(announcedByFrr, [V4]);
  const monitor = await machine.namespace.spawn('ip', ['monitor', 'address'], {
    timeoutMs: 120_000,
  });
  await machine.must('dpkg', '-i', `/root/${path.basename(newer)}`);
  await machine.must('systemctl', 'start', TIMER);
  await untilAnnounced(announcedByFrr, [V4, V6]);
  monitor.signal('SIGTERM');
  expect((await monitor.finished).stdout).not.toContain('Deleted');
  expect(await machine.must('cat', '/etc/anycast-ha/dns.toml')).toContain('# edited');
  expect((await machine.run('ls', '/run/anycast-ha/.dns-probe.code')).exitCode).not.toBe(0);
});

/** The installed package of Unbound as a file, with its own scripts: an archive may be far away. */
const REPACK_UNBOUND = `
mkdir -p /root/unbound/DEBIAN
cd /root/unbound
dpkg -L unbound | while read -r file; do
  [ ! -e "$file" ] || { [ -d "$file" ] && [ ! -L "$file" ]; } && continue
  mkdir -p ".\${file%/*}" && cp -a "$file" ".$file"
done
for name in conffiles preinst postinst prerm postrm; do
  cp "/var/lib/dpkg/info/unbound.$name" "DEBIAN/$name"
done
dpkg-query -s unbound | grep -v -e '^Status:' -e '^Conffiles:' -e '^ /' >DEBIAN/control
dpkg-deb -Znone --build /root/unbound /root/unbound.deb
`;

test("an upgrade of Unbound is drained before, by ha-guard, and loses nothing of Debian's", async () => {
  await machine.must('sh', '-ec', REPACK_UNBOUND);
  await machine.must('ha-guard', 'dns', '--unit', 'unbound');
  const startMs = Date.now();
  const output = await machine.must('dpkg', '-i', '/root/unbound.deb');
  await untilAdvertised(machine, ADDRESSES);
  const journal = await machine.journal(`--since=@${(startMs / 1000).toFixed(3)}`);
  const messages = journal.map(({ MESSAGE }) => MESSAGE);
  const withdrawn = messages.findIndex((text) => /ha-suspend: dns: .*withdrew 192/.test(text));
  const stopped = messages.findIndex((text) => text.startsWith('Stopping unbound.service'));
  const returned = messages.findIndex((text) => text.includes('dns: up: advertising'));
  expect(withdrawn, [output, ...messages].join('\n')).toBeGreaterThan(-1);
  expect(stopped).toBeGreaterThan(withdrawn);
  expect(returned).toBeGreaterThan(stopped);
  expect(messages.filter((text) => /withdrew|is gone from the kernel/.test(text))).toHaveLength(1);
  expect(await machine.must('ha-guard', '--list')).toBe('dns  unbound.service\n');
});

test('a removal withdraws, and leaves no unit, no address and no drop-in', async () => {
  await machine.must('dpkg', '-r', 'anycast-ha');
  await untilAdvertised(machine, []);
  expect(await machine.must('ip', '-6', 'route', 'show', V6)).toBe('');
  const units = await machine.must('systemctl', 'list-units', '--all', '*-probe@*', 'anycast-ha*');
  expect(units).toContain('0 loaded units');
  const left = await machine.must('find', '/etc/systemd/system', '-name', '*anycast-ha*');
  expect(left).toBe('');
});

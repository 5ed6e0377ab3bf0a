import { existsSync, mkdirSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Child, Finished } from '../support/child.ts';
import { DnsSite } from '../support/dns-site.ts';
import { run } from '../support/executable.ts';
import { until } from '../support/until.ts';

/** Configuration files that swap their addresses, or go by another name. */

const X = '192.0.2.1';
const Y = '2001:db8::1';

let site: DnsSite;
let folder: string;
let monitor: Child;
beforeEach(async () => {
  site = await DnsSite.create();
  folder = path.join(site.folder, 'conf.d');
  mkdirSync(folder);
  monitor = await site.namespace.spawn('ip', ['-o', 'monitor', 'address'], { timeoutMs: 120_000 });
});
afterEach(async () => {
  monitor.signal('SIGKILL');
  await monitor.finished;
  await site.dispose();
});

function configure(name: string, addresses: readonly string[], more = ''): void {
  const text = `rise = 1\nfall = 1\nattempts = 1\ndrain = "0"\naddress = ${JSON.stringify(addresses)}\n${more}\n`;
  writeFileSync(path.join(folder, `${name}.toml`), text);
}

function pass(name: string, ...args: readonly string[]): Promise<Finished> {
  return site.probe(['--config', path.join(folder, `${name}.toml`), ...args]);
}

/** A target where nothing listens. */
const DEAD = 'server = "127.0.0.1:9"';

function owner(address: string): string {
  return readlinkSync(path.join(site.stateDir, 'claims', address));
}

/** What was removed from the kernel so far; a mark of our own shows that all was read. */
async function removed(): Promise<readonly string[]> {
  await site.namespace.ip('address add 198.51.100.99/32 dev lo');
  await site.namespace.ip('address del 198.51.100.99/32 dev lo');
  await until('the mark', () => /Deleted .*198\.51\.100\.99/.test(monitor.output));
  const lines = monitor.output.split('\n').filter((line) => line.startsWith('Deleted'));
  return lines.filter((line) => !line.includes('198.51.100.99'));
}

describe.each([
  ['the first', ['a', 'b']],
  ['the second', ['b', 'a']],
])('two configurations that swap their addresses, %s one passes first', (_, order) => {
  test('hand them over without a gap, and each judges what is its own by then', async () => {
    configure('a', [X]);
    configure('b', [Y]);
    for (const name of ['a', 'b', 'a', 'b'])
      expect(await pass(name)).toMatchObject({ exitCode: 0 });
    configure('a', [Y]);
    configure('b', [X]);
    const said = [];
    for (const name of order) {
      const { exitCode, stderr } = await pass(name);
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
      said.push(stderr);
    }
    expect(said.join('')).toMatch(/(?:took|handed) 192\.0\.2\.1 over/);
    expect(said.join('')).toMatch(/(?:took|handed) 2001:db8::1 over/);
    expect(await removed()).toEqual([]);
    expect([owner(X), owner(Y)]).toEqual(['b', 'a']);
    for (const name of order) expect(await pass(name)).toMatchObject({ exitCode: 0, stderr: '' });

    configure('a', [Y], DEAD);
    expect(await pass('a')).toMatchObject({ exitCode: 2 });
    expect(await site.namespace.serviceAddresses()).toEqual([`${X}/32`]);
  });
});

describe('an instance under a new name', () => {
  function rename(): void {
    renameSync(path.join(folder, 'old.toml'), path.join(folder, 'new.toml'));
  }

  test('has its addresses without a gap, and the old name leaves nothing behind', async () => {
    configure('old', [X, Y]);
    await pass('old');
    rename();
    const { exitCode, stderr } = await pass('new');
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(
      /took \S+, \S+ over from instance 'old', whose file \S+old\.toml is gone/,
    );
    expect(await removed()).toEqual([]);
    expect([owner(X), owner(Y)]).toEqual(['new', 'new']);
    expect(existsSync(path.join(site.stateDir, 'old.json'))).toBe(false);
    const status = await run('ha-status', site.args([]), { namespace: site.namespace });
    expect(status).toMatchObject({ exitCode: 0, stderr: '' });
    expect(status.stdout).not.toContain('old');
    expect(await pass('new')).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test('that is dead is withdrawn, also with the lease off', async () => {
    configure('old', [X], 'lease = "off"');
    await pass('old');
    rename();
    configure('new', [X], `lease = "off"\n${DEAD}`);
    expect(await pass('new')).toMatchObject({ exitCode: 2 });
    expect(await site.namespace.serviceAddresses()).toEqual([]);
  });

  test('withdraws what the old one had beside it, and tells', async () => {
    configure('old', [X, Y], 'lease = "off"');
    await pass('old');
    rename();
    configure('new', [Y], 'lease = "off"');
    const { exitCode, stderr } = await pass('new');
    expect(exitCode).toBe(0);
    expect(stderr).toContain(`withdrew ${X}/32 dev lo: `);
    expect(await site.namespace.serviceAddresses()).toEqual([`${Y}/128`]);
    expect(existsSync(path.join(site.stateDir, 'claims', X))).toBe(false);
  });

  test('stays out while the old one is suspended, and says so', async () => {
    configure('old', [X]);
    await pass('old');
    const suspended = ['old', '--drain', '0', '--reason', 'new disk'];
    await run('ha-suspend', site.args(suspended), { namespace: site.namespace });
    rename();
    const { exitCode, stderr } = await pass('new');
    expect(exitCode).toBe(78);
    expect(stderr).toMatch(
      /'old', whose file \S+ is gone, is suspended by manual[^\n]*: resume it first/,
    );
    expect(await site.namespace.serviceAddresses()).toEqual([]);
    await run('ha-resume', site.args(['old']), { namespace: site.namespace });
    expect(await pass('new')).toMatchObject({ exitCode: 0 });
    expect(await site.namespace.serviceAddresses()).toEqual([`${X}/32`]);
  });
});

describe('an address stays with its owner', () => {
  test('whose file still names it', async () => {
    configure('a', [X]);
    await pass('a');
    configure('b', [X]);
    expect(await pass('b')).toMatchObject({ exitCode: 78 });
    configure('a', [X], '# edited');
    expect(await pass('b')).toMatchObject({ exitCode: 78 });
    expect(owner(X)).toBe('a');
  });

  test('that names it by a flag, beside a file', async () => {
    configure('a', [Y]);
    await pass('a', '--address', X);
    configure('b', [X]);
    expect(await pass('b')).toMatchObject({ exitCode: 78 });
    expect(owner(X)).toBe('a');
  });

  test('whose file cannot be read', async () => {
    configure('a', [X]);
    await pass('a');
    writeFileSync(path.join(folder, 'a.toml'), 'address = [');
    configure('b', [X]);
    expect(await pass('b')).toMatchObject({ exitCode: 78 });
    expect(owner(X)).toBe('a');
  });

  test('until its new one works: then it is withdrawn as planned', async () => {
    configure('a', [X]);
    await pass('a');
    configure('a', [Y]);
    configure('b', [X]); // no pass of it has come yet
    const { stderr } = await pass('a');
    expect(stderr).toContain(
      `withdrew ${X}/32 dev lo: the configuration does not name it any more`,
    );
    rmSync(path.join(folder, 'b.toml'));
  });
});

import { copyFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DnsSite } from '../support/dns-site.ts';
import { executablePath } from '../support/executable.ts';

/** What Node reads at each start. A budget has a tenth of room; to raise one is a decision. */
const SIZE_BUDGET_KB: readonly (readonly [name: string, kilobytes: number])[] = [
  ['dns-probe', 490],
  ['exec-probe', 380],
  ['ha-resume', 270],
  ['ha-status', 280],
  ['ha-suspend', 305],
  ['radius-probe', 425],
  ['squid-probe', 395],
  ['syslog-probe', 395],
  ['tcp-route-probe', 380],
];

test.each(SIZE_BUDGET_KB)('%s is no larger than %d kB', (name, kilobytes) => {
  expect(statSync(executablePath(name)).size / 1000).toBeLessThanOrEqual(kilobytes);
});

/** The modules of Node that a pass over UDP has to load beyond those of an empty program. */
const NEEDED = ['cluster', 'dgram', 'diagnostics_channel', 'os', 'vm'];

let site: DnsSite;
let hook: string;
let probe: string;
let empty: string;
beforeAll(async () => {
  site = await DnsSite.create();
  hook = path.join(site.folder, 'hook.cjs');
  writeFileSync(
    hook,
    `const before = new Set(process.moduleLoadList);
     process.once('exit', () => {
       const loaded = process.moduleLoadList.filter((name) => !before.has(name));
       require('node:fs').writeFileSync(process.env.LOADED, loaded.join('\\n'));
     });`,
  );
  // As it is installed: near our own package.json, Node takes it for an ES module.
  probe = path.join(site.folder, 'dns-probe');
  copyFileSync(executablePath('dns-probe'), probe);
  empty = path.join(site.folder, 'empty');
  writeFileSync(empty, '');
  await site.advertise(['-a', '192.0.2.1']);
});
afterAll(async () => {
  await site.dispose();
});

/** The public modules of Node that a program loads. */
async function loadedBy(program: string, args: readonly string[]): Promise<readonly string[]> {
  const list = path.join(site.folder, 'loaded');
  const command = ['--require', hook, program, ...args];
  const env = { ...process.env, LOADED: list, NODE_OPTIONS: '' };
  const ran = await site.namespace.exec(process.execPath, command, { env });
  expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
  const { stdout } = await site.namespace.exec('cat', [list]);
  return stdout.split('\n').flatMap((name) => /^NativeModule ([^/]+)$/.exec(name)?.[1] ?? []);
}

describe('a pass over UDP that changes nothing', () => {
  test.each([
    ['that manages an address', ['-a', '192.0.2.1']],
    ['that only checks', []],
  ])('%s loads no module of Node that it does not need', async (_what, args) => {
    const loaded = await loadedBy(probe, site.args(args));
    const known = [...NEEDED, ...(await loadedBy(empty, []))];
    expect(loaded).toContain('dgram'); // the list is a true one
    expect(loaded.filter((name) => !known.includes(name))).toEqual([]);
  });
});

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DnsSite } from '../support/dns-site.ts';
import { executablePath } from '../support/executable.ts';

/**
 * What is expensive to load, and is needed only by a pass that changes something, or by none. Not in
 * the list: net, child_process and cluster, which Node's own dgram loads with every bind.
 */
const COSTLY = [
  'assert',
  'crypto',
  'dns',
  'http',
  'https',
  'inspector',
  'readline',
  'tls',
  'url',
  'worker_threads',
  'zlib',
];

let site: DnsSite;
let hook: string;
beforeAll(async () => {
  site = await DnsSite.create();
  hook = path.join(site.folder, 'hook.cjs');
  writeFileSync(
    hook,
    `const before = new Set(process.moduleLoadList);
     process.on('exit', () => {
       const loaded = process.moduleLoadList.filter((name) => !before.has(name));
       require('node:fs').writeFileSync(process.env.LOADED, JSON.stringify(loaded));
     });`,
  );
  await site.advertise(['-a', '192.0.2.1']);
});
afterAll(async () => {
  await site.dispose();
});

/** The modules of Node that a run loads beyond what an empty file loads. */
async function loadedBy(args: readonly string[]): Promise<readonly string[]> {
  const list = path.join(site.folder, 'loaded.json');
  const command = ['--require', hook, executablePath('dns-probe'), ...site.args(args)];
  const env = { ...process.env, LOADED: list, NODE_OPTIONS: '' };
  const { exitCode, stderr } = await site.namespace.exec(process.execPath, command, { env });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  const { stdout } = await site.namespace.exec('cat', [list]);
  return (JSON.parse(stdout) as string[])
    .map((name) => /^NativeModule ([^/]+)$/.exec(name)?.[1])
    .filter((name) => name !== undefined);
}

describe('a pass over UDP that changes nothing', () => {
  test.each([
    ['that manages an address', ['-a', '192.0.2.1']],
    ['that only checks', []],
  ])('%s loads no costly module of Node', async (_what, args) => {
    const loaded = await loadedBy(args);
    expect(loaded).toContain('dgram'); // the list is a true one
    expect(loaded.filter((name) => COSTLY.includes(name))).toEqual([]);
  });
});

import { copyFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Daemon } from '../support/daemon.ts';
import { executablePath, ROOT } from '../support/executable.ts';
import { Namespace } from '../support/namespace.ts';
import { RouteSite } from '../support/route-site.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.ts';

/** What node:net brings with it, for TCP and for the pipes of a child. */
const STREAMS = ['diagnostics_channel', 'net', 'stream', 'string_decoder'];
const HTTP = [
  ...STREAMS,
  'async_hooks',
  '_http_agent',
  '_http_client',
  '_http_common',
  '_http_incoming',
  '_http_outgoing',
  '_http_server',
  'http',
];
const UDP = ['cluster', 'dgram', 'diagnostics_channel'];
const CHILD = ['child_process', 'dgram', ...STREAMS];
/** What every one of ours loads. */
const COMMON = ['os'];

/**
 * Passes that change nothing, and the modules of Node that they load beyond those of an empty
 * program: loading is much of what a pass costs, and unlike its time it can be counted. One more is
 * a decision.
 */
const PASSES: readonly (readonly [pass: string, modules: readonly string[]])[] = [
  ['dns-probe -a 192.0.2.1', UDP],
  ['dns-probe', UDP],
  // The transport is known only when the program is there, with its dgram.
  ['dns-probe -a 192.0.2.2 -i tcp --server 127.0.0.2 --transport tcp', ['dgram', ...STREAMS]],
  ['syslog-probe -a 192.0.2.3', UDP],
  ['squid-probe -a 192.0.2.4', HTTP],
  ['http-probe -a 192.0.2.9 --url http://127.0.0.1:3128/', HTTP],
  ['radius-probe -a 192.0.2.5 --secret-file secret', [...UDP, ...STREAMS, 'crypto']],
  ['exec-probe -a 192.0.2.6 -- /bin/true', CHILD],
  ['tcp-route-probe bond0 192.0.2.7 80', CHILD],
  ['ha-status', []],
];

/** They answer all probes but tcp-route-probe, whose servers have to be elsewhere. */
const SERVERS: readonly (readonly [file: string, ...args: string[]])[] = [
  ['scripts/bench.d/cost/responders.mjs'],
  ['test/support/dns-responder.mjs', '127.0.0.2'],
];

let node: Namespace;
let routes: RouteSite;
let folder: string;
let known: readonly string[];
beforeAll(async () => {
  folder = createTemporaryFolder();
  node = await Namespace.create();
  for (const [file, ...args] of SERVERS) {
    const server: Daemon = await Daemon.start({
      namespace: node,
      program: process.execPath,
      args: [path.join(ROOT, file), ...args],
      ready: () => isListening(args.length === 0 ? 3128 : 53),
    });
    expect(server.pid).toBeGreaterThan(0);
  }
  routes = await RouteSite.create(['192.0.2.7/32']);
  await routes.listen('80');
  writeFileSync(path.join(folder, 'secret'), 'bench\n', { mode: 0o600 });
  writeFileSync(
    path.join(folder, 'hook.cjs'),
    `const before = new Set(process.moduleLoadList);
     process.once('exit', () => {
       const loaded = process.moduleLoadList.filter((name) => !before.has(name));
       require('node:fs').writeFileSync(process.env.LOADED, loaded.join('\\n'));
     });`,
  );
  writeFileSync(path.join(folder, 'empty'), '');
  known = await loadedBy(node, path.join(folder, 'empty'), []);
});
afterAll(async () => {
  await Promise.all([node.dispose(), routes.dispose()]);
  removeTemporaryFolder(folder);
});

async function isListening(port: number): Promise<boolean> {
  const { stdout } = await node.exec('ss', ['-Hlnt', 'sport', '=', `:${port}`]);
  return stdout !== '';
}

/** The public modules of Node that a program loads. */
async function loadedBy(
  namespace: Namespace,
  program: string,
  args: readonly string[],
): Promise<readonly string[]> {
  const list = path.join(folder, 'loaded');
  const command = ['--require', path.join(folder, 'hook.cjs'), program, ...args];
  const env = { ...process.env, LOADED: list, NODE_OPTIONS: '' };
  const ran = await namespace.exec(process.execPath, command, { env, cwd: folder });
  expect(ran, ran.stdout).toMatchObject({ exitCode: 0, stderr: '' });
  const { stdout } = await namespace.exec('cat', [list]);
  return stdout.split('\n').flatMap((name) => /^NativeModule ([^/]+)$/.exec(name)?.[1] ?? []);
}

/** As it is installed: near our own package.json, Node takes it for an ES module. */
function installed(name: string): string {
  const program = path.join(folder, name);
  copyFileSync(executablePath(name), program);
  return program;
}

test.each(PASSES)('%s loads no module of Node that it does not need', async (pass, modules) => {
  const [name = '', ...args] = pass.split(' ');
  const namespace = name === 'tcp-route-probe' ? routes.node : node;
  const folders = [`--state-dir=${folder}/${name}.state`, `--persist-dir=${folder}/persist`];
  // The first pass starts without state, and says so; afterwards there is nothing to change. What
  // ha-status shows has had one pass only, so that it cannot be late.
  const [prober, ...given] =
    name === 'ha-status' ? ['dns-probe', '-a', '192.0.2.8'] : [name, ...args];
  const first = [installed(prober), '--rise=1', ...folders, ...given];
  const { exitCode } = await namespace.exec(process.execPath, first, { cwd: folder });
  expect(exitCode).toBe(0);

  const loaded = await loadedBy(namespace, installed(name), [...folders, ...args]);
  expect(loaded).toEqual(expect.arrayContaining(['os', ...modules.slice(0, 1)])); // a true list
  const needed = [...known, ...COMMON, ...modules];
  expect(loaded.filter((each) => !needed.includes(each))).toEqual([]);
});

import path from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { runCommand } from '../../../support/child.ts';
import { answerTo } from '../../../support/dns-answers.ts';
import { ROOT } from '../../../support/executable.ts';
import { FakeDnsServer } from '../../../support/fake-dns-server.ts';

/** Bundles the probe with a main part that prints the verdict and the modules of Node it loaded. */
async function bundle(port: number): Promise<string> {
  const contents = `
    import { writeSync } from 'node:fs';
    import { probeDns } from './src/lib/probe/dns/dns-probe.ts';
    const log = { step() {}, notice() {}, warning() {}, error() {} };
    probeDns({
      servers: [{ address: { family: 4, text: '127.0.0.1' }, port: ${port} }],
      queries: [{ name: '.', type: 6, expected: {} }],
      require: 'all',
      transport: 'udp',
      style: { class: 1, dnssec: false, checkingDisabled: false, ednsSizeBytes: 1232 },
      expected: { rcodes: [0], requiredFlags: [] },
    }, { signal: AbortSignal.timeout(10_000), log }).then(({ status }) => {
      writeSync(1, JSON.stringify({ status, loaded: process.moduleLoadList }));
      process.exit();
    });`;
  const { outputFiles } = await build({
    stdin: { contents, loader: 'ts', resolveDir: ROOT },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    write: false,
    nodePaths: [path.join(ROOT, 'node_modules')],
  });
  return outputFiles[0]?.text ?? '';
}

test('a question over UDP loads none of the costly modules that it can do without', async () => {
  const server = await FakeDnsServer.start({
    onUdp: ({ message, send }) => {
      send(answerTo(message));
    },
  });
  const script = await bundle(server.peer.port);
  const { stdout, stderr } = await runCommand(process.execPath, ['-'], { input: script });
  await server.stop();
  expect(stderr).toBe('');
  const { status, loaded } = JSON.parse(stdout) as { status: string; loaded: readonly string[] };
  expect(status).toBe('up');
  // Not in the list: net and cluster, which Node's own dgram loads with every bind.
  const costly = ['dns', 'http', 'https', 'crypto', 'tls', 'assert', 'worker_threads', 'zlib'];
  expect(loaded).toContain('NativeModule dgram');
  for (const module of costly) expect(loaded).not.toContain(`NativeModule ${module}`);
});

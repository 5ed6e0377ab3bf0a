import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Child, Finished } from '../support/child.ts';
import { ROOT, start } from '../support/executable.ts';
import { Namespace } from '../support/namespace.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

let folder: string;
beforeAll(() => {
  folder = createTemporaryFolder();
  writeFileSync(path.join(folder, 'secret'), 'secret\n', { mode: 0o600 });
});
afterAll(() => {
  removeTemporaryFolder(folder);
});

const PROBES: readonly (readonly string[])[] = [
  ['dns-probe'],
  ['dns-probe', '--transport', 'tcp'],
  ['squid-probe'],
  ['radius-probe', '--secret-file', 'SECRET'],
  ['syslog-probe'],
];

/** Node that asks servers with a delay, in a namespace of its own. */
async function serve(delay: string): Promise<{ namespace: Namespace; server: Child }> {
  const namespace = await Namespace.create();
  const script = path.join(ROOT, 'test/support/slow-responders.mjs');
  const server = await namespace.spawn(process.execPath, [script, delay], { timeoutMs: 180_000 });
  await until('the servers', () => server.output.includes('ready'));
  return { namespace, server };
}

/** Asks, and stops the pass for longer than its attempt lasts once the question was seen. */
async function stopInBetween(
  { namespace, server }: { namespace: Namespace; server: Child },
  [program, ...words]: readonly string[],
): Promise<Finished> {
  const asked = (): number => server.output.split('asked').length - 1;
  const before = asked();
  const given = words.map((word) => (word === 'SECRET' ? path.join(folder, 'secret') : word));
  const args = [...given, '--timeout', '1s', '--attempts', '1'];
  const pass = await start(program ?? '', args, { namespace });
  await until('the question', () => asked() > before, { everyMs: 5 });
  pass.signal('SIGSTOP');
  await sleep(1600);
  pass.signal('SIGCONT');
  return pass.finished;
}

describe('a pass that is stopped behind its question, for longer than its attempt', () => {
  describe('reads the answer that came meanwhile', () => {
    let site: Awaited<ReturnType<typeof serve>>;
    beforeAll(async () => {
      site = await serve('200');
    });
    afterAll(async () => {
      await site.namespace.dispose();
    });
    test.each(PROBES)('%s %s %s', async (...command) => {
      const { exitCode, stdout, stderr } = await stopInBetween(site, command);
      expect({ exitCode, stderr }, stdout).toEqual({ exitCode: 0, stderr: '' });
    });
  });

  describe('does not blame the service where there is none', () => {
    let site: Awaited<ReturnType<typeof serve>>;
    beforeAll(async () => {
      site = await serve('never');
    });
    afterAll(async () => {
      await site.namespace.dispose();
    });
    test.each(PROBES)('%s %s %s', async (...command) => {
      const { exitCode, stdout, stderr } = await stopInBetween(site, command);
      expect({ exitCode, stderr }, stdout).toEqual({ exitCode: 69, stderr: '' });
      expect(stdout).toMatch(/^unknown \(overrun\): this pass stood still for \d+ ms: /);
    });
  });
});

describe('exec-probe that is stopped', () => {
  let namespace: Namespace;
  let mark: string;
  beforeAll(async () => {
    namespace = await Namespace.create();
  });
  beforeEach(() => {
    mark = path.join(folder, `mark-${String(process.hrtime.bigint())}`);
  });
  afterAll(async () => {
    await namespace.dispose();
  });

  async function stopWith(script: string): Promise<Finished> {
    const args = ['--timeout', '1s', '--attempts', '1', '--', 'sh', '-c', script, 'sh', mark];
    const pass = await start('exec-probe', args, { namespace });
    await until(
      'the command',
      async () => (await namespace.exec('test', ['-e', mark])).exitCode === 0,
    );
    pass.signal('SIGSTOP');
    await sleep(1600);
    pass.signal('SIGCONT');
    return pass.finished;
  }

  test('sees that its command ended meanwhile', async () => {
    const { exitCode, stdout } = await stopWith('touch "$1"; sleep 0.3; echo well');
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'up: sh: well\n' });
  });

  test('does not blame a command that has not', async () => {
    const { exitCode, stdout } = await stopWith('touch "$1"; sleep 30');
    expect(exitCode).toBe(69);
    expect(stdout).toMatch(/^unknown \(overrun\): this pass stood still for \d+ ms: /);
  });
});

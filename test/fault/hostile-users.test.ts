import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Finished } from '../support/child.ts';
import { executablePath, run, start } from '../support/executable.ts';
import { Figures } from '../support/fault-figures.ts';
import { FaultNode } from '../support/fault-node.ts';
import { until } from '../support/until.ts';

const NOBODY = 65_534;

const figures = new Figures('hostile users: attempts as nobody, and hostile surroundings');
let node: FaultNode;
let folders = 0;

beforeAll(async () => {
  node = await FaultNode.create();
});
beforeEach(async () => {
  figures.injected += 1;
  expect((await node.pass('works')).exitCode).toBe(0);
});
afterAll(async () => {
  figures.publish();
  await node.dispose();
});

/** Runs a program inside the node as the user nobody, without any capability. */
function asNobody(program: string, args: readonly string[]): Promise<Finished> {
  const user = ['--reuid=nobody', '--regid=nogroup', '--clear-groups', '--no-new-privs'];
  return run('/usr/bin/setpriv', [...user, '--', program, ...args], { namespace: node.namespace });
}

function folderOf(owner: number, mode = 0o755): string {
  const folder = path.join(node.folder, `folder-${(folders += 1)}`);
  mkdirSync(folder);
  chownSync(folder, owner, owner);
  chmodSync(folder, mode);
  return folder;
}

describe('the user nobody', () => {
  test.each([
    ['passes', () => node.passArgs('fails'), 'dns-probe'],
    ['--withdraw', () => node.passArgs('works', ['--withdraw']), 'dns-probe'],
    ['ha-suspend', () => [...node.folderArgs(), 'dns-probe', '--drain', '0s'], 'ha-suspend'],
  ])('does not take an address out with %s', async (_, args, program) => {
    const { exitCode, stderr } = await asNobody(node.program(program), args());
    expect([71, 74, 77]).toContain(exitCode);
    expect(stderr).not.toContain('this is a bug');
    expect(await node.advertised()).toBe(true);
    expect(node.suspended()).toBe(false);
  });

  test('does not put an address in, with a state folder of its own either', async () => {
    await node.pass('fails');
    const folder = folderOf(NOBODY);
    const args = ['--state-dir', path.join(folder, 'state'), '--persist-dir', folder];
    const own = await asNobody(node.program('dns-probe'), [...node.passArgs('works'), ...args]);
    expect(own.exitCode).toBe(77);
    expect(await node.advertised()).toBe(false);
    await asNobody(node.program('dns-probe'), node.passArgs('works'));
    expect(await node.advertised()).toBe(false);
  });

  test('does not end the suspension of somebody else', async () => {
    await node.run('ha-suspend', [...node.folderArgs(), 'dns-probe', '--drain', '0s']);
    const { exitCode } = await asNobody(node.program('ha-resume'), [
      ...node.folderArgs(),
      'dns-probe',
      '--everyone',
    ]);
    expect([74, 77]).toContain(exitCode);
    expect(node.suspended()).toBe(true);
    await node.pass('works');
    expect(await node.advertised()).toBe(false);
    await node.run('ha-resume', [...node.folderArgs(), 'dns-probe', '--everyone']);
  });

  test.each([
    ['a lock', 'ln -s "1 1 x y 9999999999 1" STATE/dns-probe.lock'],
    ['a state', 'echo "{}" > STATE/dns-probe.json'],
    ['a temporary file', 'ln -s /etc/passwd STATE/dns-probe.json.tmp'],
    ['a suspension', 'mkdir -p STATE/suspensions; touch STATE/suspensions/dns-probe@eve.json'],
    ['a claim', 'ln -sf eve STATE/claims/192.0.2.1'],
    ['another folder', 'mv STATE STATE.old'],
    ['the lock of breakers, held', 'exec 9>STATE/.break'],
  ])('does not plant %s', async (_, script) => {
    const before = readdirSync(node.stateDir, { recursive: true, encoding: 'utf8' }).sort();
    await asNobody('/bin/sh', ['-c', script.replaceAll('STATE', node.stateDir)]);
    expect(readdirSync(node.stateDir, { recursive: true, encoding: 'utf8' }).sort()).toEqual(
      before,
    );
    expect((await node.pass('works')).exitCode).toBe(0);
    expect(await node.advertised()).toBe(true);
  });

  test('cannot read the secret of radius-probe, and nothing says it', async () => {
    const secret = 'correct-horse-battery';
    const folder = folderOf(0);
    const file = path.join(folder, 'secret');
    writeFileSync(file, `${secret}\n`, { mode: 0o600 });
    const metrics = folderOf(0);
    const args = ['--server', '127.0.0.1:18120', '--secret-file', file, '-a', '192.0.2.9'];
    const more = ['--timeout', '3s', '--attempts', '1', '--metrics-dir', metrics, '--verbose'];
    // Somebody who does not answer, so that there is time to look.
    const silent = await node.namespace.spawn(process.execPath, [
      '-e',
      "require('dgram').createSocket('udp4').bind(18120,'127.0.0.1',()=>console.log('ready'))",
    ]);
    await until('somebody listens', () => silent.output.includes('ready'));
    const probe = await start(
      executablePath('radius-probe'),
      [...node.folderArgs(), ...args, ...more],
      { namespace: node.namespace },
    );
    const lock = path.join(node.stateDir, 'radius-probe.lock');
    await until('it asks', () => lstatSync(lock, { throwIfNoEntry: false }) !== undefined);
    const looks = `cd /proc/${probe.pid} && cat cmdline environ mem maps fd/* /proc/${probe.pid}/task/*/environ; cat ${file}`;
    const seen = await asNobody('/bin/sh', ['-c', looks]);
    expect(probe.running).toBe(true);
    expect(seen.stdout).toContain('radius-probe');
    expect(seen.stdout + seen.stderr).not.toContain(secret);
    expect(readFileSync(`/proc/${probe.pid}/environ`, 'latin1')).not.toContain(secret);
    const { stdout, stderr } = await probe.finished;
    silent.signal('SIGKILL');
    expect(stderr).toContain('radius-probe');
    const state = readFileSync(path.join(node.stateDir, 'radius-probe.json'), 'utf8');
    const published = readdirSync(metrics).map((name) => readFileSync(path.join(metrics, name)));
    expect([stdout, stderr, state, ...published].join('\n')).not.toContain(secret);
    chmodSync(file, 0o644);
    const open = await run(executablePath('radius-probe'), args, { namespace: node.namespace });
    expect(open.exitCode).toBe(78);
  });

  test('does not get root to write through a link', async () => {
    const victim = path.join(folderOf(0), 'victim');
    writeFileSync(victim, 'precious');
    const metrics = folderOf(NOBODY);
    symlinkSync(victim, path.join(metrics, 'anycast_ha_dns-probe.prom'));
    expect((await node.pass('works', ['--metrics-dir', metrics])).exitCode).toBe(0);
    expect(readFileSync(victim, 'utf8')).toBe('precious');
  });

  test('is not answered for by a stranger on another port of the loopback', async () => {
    const spoofer = `
      const { createSocket } = require('node:dgram');
      const asked = createSocket('udp4'), other = createSocket('udp4');
      asked.on('message', (query, { port }) => {
        const reply = Buffer.from(query);
        reply.writeUInt16BE(0x8180, 2);
        for (let copies = 0; copies < 20; copies++) other.send(reply, port, '127.0.0.1');
      });
      asked.bind(5353, '127.0.0.1', () => console.log('ready'));`;
    const child = await node.namespace.spawn(process.execPath, ['-e', spoofer]);
    await until('the spoofer listens', () => child.output.includes('ready'));
    const server = ['--server', '127.0.0.1:5353', '--timeout', '300ms', '--min-answers', '0'];
    const { exitCode, stdout } = await node.run('dns-probe', server);
    child.signal('SIGKILL');
    expect(exitCode).toBe(2);
    expect(stdout).toContain('timeout');
  });
});

describe('a state folder', () => {
  test.each([
    ['of another user', () => folderOf(NOBODY)],
    ['that everybody may write to', () => folderOf(0, 0o777)],
    ['that everybody may write to, with the sticky bit', () => folderOf(0, 0o1777)],
    ['that a group may write to', () => folderOf(0, 0o775)],
    [
      'that is a link',
      () => {
        const link = path.join(folderOf(0), 'link');
        symlinkSync(folderOf(0), link);
        return link;
      },
    ],
  ])('%s is refused, and nothing is written there', async (_, make) => {
    const folder = make();
    const args = node.passArgs('works', ['--state-dir', folder]);
    expect(await node.run('dns-probe', args)).toMatchObject({ exitCode: 77 });
    expect(readdirSync(folder)).toEqual([]);
    const down = node.passArgs('fails', ['--state-dir', folder]);
    expect(await node.run('dns-probe', down)).toMatchObject({ exitCode: 77 });
    expect(await node.advertised()).toBe(false);
  });
});

describe('a name', () => {
  const names = ['../../etc/x', '..', 'a/b', 'a\nb', '-x', ';reboot', '$(id)', ''];

  test.each(names)('%o is neither an instance nor a holder', async (name) => {
    const before = readdirSync(node.stateDir);
    for (const [program, args] of [
      ['dns-probe', [...node.passArgs('works'), `--instance=${name}`]],
      ['ha-suspend', [...node.folderArgs(), name]],
      ['ha-suspend', [...node.folderArgs(), 'dns-probe', `--by=${name}`]],
      ['ha-resume', [...node.folderArgs(), 'dns-probe', `--by=${name}`]],
    ] as const) {
      const { exitCode } = await node.run(program, args);
      expect(exitCode).toBe(64);
    }
    expect(readdirSync(node.stateDir)).toEqual(before);
    expect(await node.advertised()).toBe(true);
  });

  test('of a configuration file runs no command and leaves no folder', async () => {
    const folder = folderOf(0);
    for (const name of ['; touch pwned;.toml', '$(touch pwned).toml', 'a\nb.toml', '-i.toml']) {
      const file = path.join(folder, name);
      writeFileSync(file, 'address = "192.0.2.77"\n');
      const { exitCode } = await node.run('dns-probe', [...node.folderArgs(), '--config', file], {
        cwd: folder,
      });
      expect([64, 78]).toContain(exitCode);
    }
    expect(existsSync(path.join(folder, 'pwned'))).toBe(false);
  });

  test('of a configuration that somebody else may write to is not obeyed', async () => {
    const file = path.join(folderOf(0), 'evil.toml');
    writeFileSync(file, 'address = "192.0.2.77"\n');
    chmodSync(file, 0o666);
    const args = [...node.folderArgs(), '--config', file];
    expect(await node.run('dns-probe', args)).toMatchObject({ exitCode: 78 });
    chmodSync(file, 0o600);
    chownSync(file, NOBODY, NOBODY);
    expect(await node.run('dns-probe', args)).toMatchObject({ exitCode: 78 });
  });
});

test('a hostile working directory and environment change nothing', async () => {
  const folder = folderOf(NOBODY, 0o777);
  const proof = path.join(folder, 'pwned');
  const evil = `require('node:fs').writeFileSync(${JSON.stringify(proof)}, '')`;
  writeFileSync(path.join(folder, 'evil.cjs'), evil);
  writeFileSync(path.join(folder, 'package.json'), '{"type":"module","main":"evil.cjs"}');
  writeFileSync(path.join(folder, '.env'), 'ANYCAST_HA_ADDRESS=192.0.2.99\n');
  for (const name of ['ip', 'flock', 'node']) {
    writeFileSync(path.join(folder, name), `#!/bin/sh\ntouch ${proof}\n`, { mode: 0o755 });
  }
  for (const name of ['execa', 'yargs', 'dns-packet', 'valibot']) {
    mkdirSync(path.join(folder, 'node_modules', name), { recursive: true });
    writeFileSync(path.join(folder, 'node_modules', name, 'index.js'), evil);
  }
  const env = {
    NODE_OPTIONS: `--require ${folder}/evil.cjs`,
    NODE_PATH: path.join(folder, 'node_modules'),
    LANG: '../../evil',
    LC_ALL: folder,
  };
  for (const service of ['fails', 'works'] as const) {
    const args = node.passArgs(service);
    const { exitCode } = await node.run('dns-probe', args, { cwd: folder, env });
    expect(exitCode).toBe(service === 'works' ? 0 : 2);
    expect(await node.advertised()).toBe(service === 'works');
  }
  expect(existsSync(proof)).toBe(false);
});

import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Daemon } from '../support/daemon.ts';
import { ROOT, run } from '../support/executable.ts';
import { LOGIN_SECRET, PASSWORD, startFreeradius } from '../support/freeradius.ts';
import { Namespace } from '../support/namespace.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.ts';

/** radius-probe on FreeRADIUS, with the examples as they are shipped. */

const folder = createTemporaryFolder();
const statusSecret = secretFile('status', 'foobar\n');
/** How the example's status server is asked. */
const STATUS = ['--server', '127.0.0.1:18121', '--secret-file', statusSecret];
const loginSecret = secretFile('login', LOGIN_SECRET);
const otherSecret = secretFile('other', 'something else');
const password = secretFile('password', `${PASSWORD}\n`);

function secretFile(name: string, secret: string): string {
  const file = path.join(folder, `${name}.secret`);
  writeFileSync(file, secret, { mode: 0o600 });
  return file;
}

afterAll(() => {
  removeTemporaryFolder(folder);
});

interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function probe(namespace: Namespace, ...args: readonly string[]): Promise<Outcome> {
  const { exitCode, stdout, stderr } = await run('radius-probe', args, { namespace });
  return { exitCode, stdout, stderr };
}

test.each(['viewpoint', 'message-authenticator'])('the man page shows the example %s', (name) => {
  const example = readFileSync(path.join(ROOT, 'scripts/examples/freeradius', name), 'utf8');
  const words = (text: string): string => text.replace(/#.*/g, '').replace(/\s+/g, ' ').trim();
  const page = readFileSync(path.join(ROOT, 'man/radius-probe.8.md'), 'utf8');
  expect(words(page)).toContain(words(example));
});

describe('one question', () => {
  let namespace: Namespace;

  beforeAll(async () => {
    namespace = await Namespace.create();
    await startFreeradius(namespace, folder);
  });
  afterAll(async () => {
    await namespace.dispose();
  });

  async function outcomeOf(...args: readonly string[]): Promise<Outcome> {
    return probe(namespace, '--attempts', '1', ...args);
  }
  const login = ['--mode', 'auth', '--secret-file', loginSecret, '--user', 'probe'];

  test('the status server of the example is up', async () => {
    expect(await outcomeOf(...STATUS)).toEqual({
      exitCode: 0,
      stdout: 'up: Status-Server to 127.0.0.1:18121: Access-Accept\n',
      stderr: '',
    });
  });

  test('an accounting port answers Status-Server as well', async () => {
    const args = ['--server', '127.0.0.1:1813', '--secret-file', loginSecret];
    expect(await outcomeOf(...args)).toMatchObject({
      exitCode: 0,
      stdout: 'up: Status-Server to 127.0.0.1:1813: Accounting-Response\n',
    });
  });

  test('a wrong secret is silence, and the message says that it may be one', async () => {
    const { exitCode, stdout, stderr } = await outcomeOf(...STATUS, '--secret-file', otherSecret);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: '' });
    expect(stdout).toMatch(
      /^down \(timeout\): .*no answer in time \(a wrong secret looks the same/,
    );
  });

  test('a login with the right password is accepted', async () => {
    expect(await outcomeOf(...login, '--password-file', password)).toEqual({
      exitCode: 0,
      stdout: 'up: Access-Request to 127.0.0.1:1812: Access-Accept "Welcome"\n',
      stderr: '',
    });
  });

  test('a login with a wrong password is rejected, which can be what is expected', async () => {
    const wrong = [...login, '--password-file', otherSecret];
    const rejected = await outcomeOf(...wrong);
    expect(rejected.exitCode).toBe(2);
    expect(rejected.stdout).toMatch(/^down \(rejected\): .*Access-Reject.*expected Access-Accept/);
    expect(await outcomeOf(...wrong, '--expect', 'reject')).toMatchObject({ exitCode: 0 });
    expect(await outcomeOf(...wrong, '--expect', 'any')).toMatchObject({ exitCode: 0 });
  });

  test('a login by CHAP is accepted with the right password only', async () => {
    const chap = [...login, '--auth', 'chap', '--password-file'];
    expect(await outcomeOf(...chap, password)).toEqual({
      exitCode: 0,
      stdout: 'up: Access-Request to 127.0.0.1:1812: Access-Accept "Welcome"\n',
      stderr: '',
    });
    expect(await outcomeOf(...chap, otherSecret)).toMatchObject({ exitCode: 2 });
  });

  test('a policy that wants attributes accepts a login that has them', async () => {
    const wired = ['--mode', 'auth', '--secret-file', loginSecret, '--user', 'wired'];
    const without = await outcomeOf(...wired, '--password-file', password);
    expect(without.exitCode).toBe(2);
    expect(without.stdout).toMatch(/^down \(rejected\): /);
    const port = [
      '--attribute',
      'NAS-Port-Type=Ethernet',
      '--attribute',
      'NAS-IP-Address=192.0.2.1',
    ];
    expect(await outcomeOf(...wired, '--password-file', password, ...port)).toMatchObject({
      exitCode: 0,
      stderr: '',
    });
  });

  test('a secret with the carriage return of its file is told from silence', async () => {
    const windows = secretFile('windows', 'foobar\r\n');
    const { exitCode, stdout } = await outcomeOf(...STATUS.slice(0, 2), '--secret-file', windows);
    expect(exitCode).toBe(2);
    expect(stdout).toContain(
      '(the secret ends with a carriage return: was its file written with CRLF?)',
    );
  });

  test('a login that is challenged was answered, and is no accept', async () => {
    const args = ['--mode', 'auth', '--secret-file', loginSecret, '--user', 'token'];
    const challenged = await outcomeOf(...args, '--password-file', password);
    expect(challenged.exitCode).toBe(2);
    expect(challenged.stdout).toContain('Access-Challenge "Which token?"');
    const any = await outcomeOf(...args, '--password-file', password, '--expect', 'any');
    expect(any.exitCode).toBe(0);
  });

  test('a session is accounted for, under one and the same name', async () => {
    const args = ['--mode', 'accounting', '--secret-file', loginSecret, '--user', 'probe'];
    expect(await outcomeOf(...args)).toEqual({
      exitCode: 0,
      stdout: 'up: Accounting-Request to 127.0.0.1:1813: Accounting-Response\n',
      stderr: '',
    });
    const detail = readFileSync(path.join(folder, 'detail'), 'utf8');
    expect(detail).toContain('Acct-Session-Id = "anycast-ha"');
    expect(detail).toContain('Acct-Status-Type = Stop');
    expect(detail).toContain('User-Name = "probe"');
  });

  test('the secret and the password are neither printed nor visible in ps', async () => {
    const args = [...login, '--password-file', password, '--verbose'];
    const { stdout, stderr } = await outcomeOf(...args);
    expect(stderr).toContain('Access-Request');
    expect(stdout + stderr + args.join(' ')).not.toMatch(/testing123|right horse/);
  });

  test('a secret that everybody can read is refused', async () => {
    const open = secretFile('open', 'foobar');
    chmodSync(open, 0o644);
    const { exitCode, stdout, stderr } = await outcomeOf('--secret-file', open);
    expect({ exitCode, stdout }).toEqual({ exitCode: 78, stdout: '' });
    expect(stderr).toContain(`--secret-file: ${open} is open to everybody (mode 0644)`);
  });

  test('without a secret nothing is asked', async () => {
    expect(await outcomeOf()).toMatchObject({
      exitCode: 64,
      stderr: expect.stringContaining('--secret-file is missing') as string,
    });
  });
});

describe('a server older than the answer to CVE-2024-3596', () => {
  let namespace: Namespace;

  beforeAll(async () => {
    namespace = await Namespace.create();
    await startFreeradius(namespace, folder, false);
  });
  afterAll(async () => {
    await namespace.dispose();
  });

  const login = ['--mode', 'auth', '--user', 'probe', '--attempts', '1'];
  const files = ['--secret-file', loginSecret, '--password-file', password];

  test('is not believed when it logs somebody in', async () => {
    const { exitCode, stdout } = await probe(namespace, ...login, ...files);
    expect(exitCode).toBe(2);
    expect(stdout).toMatch(/^down \(unauthenticated\): .*no Message-Authenticator/);
  });

  test('is believed where that is asked for', async () => {
    const args = [...login, ...files, '--require-message-authenticator', 'no'];
    expect((await probe(namespace, ...args)).exitCode).toBe(0);
  });

  test('is believed about its status, and not where more is demanded', async () => {
    const status = [...STATUS, '--attempts', '1'];
    expect((await probe(namespace, ...status)).exitCode).toBe(0);
    const more = await probe(namespace, ...status, '--require-message-authenticator', 'yes');
    expect(more.exitCode).toBe(2);
  });
});

describe('the service address follows the server', () => {
  let namespace: Namespace;
  let server: Daemon;

  beforeAll(async () => {
    namespace = await Namespace.create();
    server = await startFreeradius(namespace, folder);
  });
  afterAll(async () => {
    await namespace.dispose();
  });

  /** Two passes, so that rise and fall are reached. */
  async function passes(secret = statusSecret): Promise<{ exits: unknown[]; kernel: string[] }> {
    const args = [
      ...['--address', '192.0.2.1', '--address', '2001:db8::1'],
      ...['--server', '127.0.0.1:18121', '--secret-file', secret],
      ...['--state-dir', path.join(folder, 'state'), '--persist-dir', path.join(folder, 'persist')],
      ...['--timeout', '500ms', '--retry-delay', '50ms', '--drain', '0s'],
    ];
    const exits = [];
    for (let pass = 0; pass < 2; pass++) {
      exits.push((await probe(namespace, ...args)).exitCode);
    }
    return { exits, kernel: await namespace.serviceAddresses() };
  }
  const UP = { exits: [0, 0], kernel: ['192.0.2.1/32', '2001:db8::1/128'] };
  const DOWN = { exits: [2, 2], kernel: [] };

  test('up, frozen and thawed, stopped and started again, and with a wrong secret', async () => {
    expect(await passes()).toEqual(UP);
    server.freeze();
    expect(await passes()).toEqual(DOWN);
    server.thaw();
    expect(await passes()).toEqual(UP);
    await server.stop();
    expect(await passes()).toEqual(DOWN);
    await server.restart();
    expect(await passes()).toEqual(UP);
    await server.kill();
    expect(await passes()).toEqual(DOWN);
    await server.restart();
    expect(await passes(otherSecret)).toEqual(DOWN);
    expect(await passes()).toEqual(UP);
  });
});

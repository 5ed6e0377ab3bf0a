import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Daemon } from '../support/daemon.ts';
import { run } from '../support/executable.ts';
import { Namespace } from '../support/namespace.ts';
import { PROXY_PASSWORD, startOrigin, startSquid, startTinyproxy } from '../support/squid.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.ts';

/** squid-probe on squid, with the example as it is shipped, and on tinyproxy. */

const folder = createTemporaryFolder();
const squidFolder = createTemporaryFolder();

function secretFile(name: string, secret: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, secret, { mode: 0o600 });
  return file;
}
const password = secretFile('password', `${PROXY_PASSWORD}\n`);
const otherPassword = secretFile('other', 'something else');

afterAll(() => {
  removeTemporaryFolder(folder);
  removeTemporaryFolder(squidFolder);
});

interface Outcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function probe(namespace: Namespace, ...args: readonly string[]): Promise<Outcome> {
  const { exitCode, stdout, stderr } = await run('squid-probe', args, { namespace });
  return { exitCode, stdout, stderr };
}

function upWith(question: string): unknown {
  const escaped = question.replaceAll(/[.?*+^$|()[\]{}\\]/g, '\\$&');
  const line = new RegExp(`^up: ${escaped}: status \\d+ in \\d+ ms\\n$`);
  return { exitCode: 0, stdout: expect.stringMatching(line) as unknown, stderr: '' };
}

function downWith(reason: string, rest: string): Outcome {
  return { exitCode: 2, stdout: `down (${reason}): ${rest}\n`, stderr: '' };
}

const ICON = '/squid-internal-static/icons/SN.png';
const ORIGIN = 'http://127.0.0.1:8081';
/** Nobody listens there. */
const NO_ORIGIN = 'http://127.0.0.1:8099/';

describe('one question to squid', () => {
  let namespace: Namespace;
  const SQUID = '127.0.0.1:3128';

  beforeAll(async () => {
    namespace = await Namespace.create();
    await startOrigin(namespace);
    await startSquid(namespace, squidFolder);
  });
  afterAll(async () => {
    await namespace.dispose();
  });

  async function ask(...args: readonly string[]): Promise<Outcome> {
    return probe(namespace, '--attempts', '1', ...args);
  }

  test('for its own icon is up, as a path, as a URL of it and by HEAD', async () => {
    expect(await ask()).toEqual(upWith(`${SQUID} GET ${ICON}`));
    expect(await ask('--method', 'HEAD')).toEqual(upWith(`${SQUID} HEAD ${ICON}`));
    const url = `http://127.0.0.1:3128${ICON}`;
    expect(await ask('--url', url)).toEqual(upWith(`${SQUID} GET ${url}`));
    expect(await ask('--body', '^.PNG')).toEqual(upWith(`${SQUID} GET ${ICON}`));
  });

  test('over IPv6 is up', async () => {
    expect(await ask('--proxy', '::1')).toEqual(upWith(`[::1]:3128 GET ${ICON}`));
  });

  test('for its own icon is answered without asking any origin', async () => {
    expect(await ask('--url', `http://192.0.2.99${ICON}`)).toMatchObject({ exitCode: 0 });
    expect(readFileSync(path.join(squidFolder, 'access.log'), 'utf8')).not.toMatch(
      /DIRECT.*SN\.png/,
    );
  });

  test('for an icon that it has not is the proxy’s own error', async () => {
    const gone = '/squid-internal-static/icons/anthony-unknown.gif';
    expect(await ask('--url', gone)).toEqual(
      downWith(
        'proxy-error',
        `${SQUID} GET ${gone}: status 404 (ERR_INVALID_REQ 0), from the proxy`,
      ),
    );
  });

  test('for an origin is up, with the status and the body that are expected', async () => {
    const page = `${ORIGIN}/200`;
    expect(await ask('--url', page, '--body', 'hello$')).toEqual(upWith(`${SQUID} GET ${page}`));
    const missing = `${ORIGIN}/404`;
    const either = ['--url', missing, '--status', '200,404'];
    expect(await ask(...either)).toEqual(upWith(`${SQUID} GET ${missing}`));
    expect(await ask('--url', page, '--body', '^hello')).toEqual(
      downWith('wrong-answer', `${SQUID} GET ${page}: status 200, no match in the body`),
    );
  });

  test('tells an origin’s error from its own', async () => {
    const failing = `${ORIGIN}/503`;
    expect(await ask('--url', failing)).toEqual(
      downWith('bad-status', `${SQUID} GET ${failing}: status 503, from the origin`),
    );
    expect(await ask('--url', NO_ORIGIN)).toEqual(
      downWith(
        'proxy-error',
        `${SQUID} GET ${NO_ORIGIN}: status 503 (ERR_CONNECT_FAIL 111), from the proxy`,
      ),
    );
  });

  test('with a nonce in the URL gets past its cache', async () => {
    const url = `${ORIGIN}/200/{nonce}`;
    for (let pass = 0; pass < 2; pass += 1) {
      expect(await ask('--url', url)).toMatchObject({ exitCode: 0 });
    }
    const log = readFileSync(path.join(squidFolder, 'access.log'), 'utf8');
    const asked = log.match(/\/200\/[0-9a-f]{16} .*DIRECT/g) ?? [];
    expect(new Set(asked.map((line) => line.slice(0, 21))).size).toBe(2);
  });

  test('for a tunnel is up where it leads somewhere', async () => {
    expect(await ask('--connect', '127.0.0.1:8081')).toEqual(
      upWith(`${SQUID} CONNECT 127.0.0.1:8081`),
    );
    expect(await ask('--connect', '127.0.0.1:8099')).toEqual(
      downWith(
        'proxy-error',
        `${SQUID} CONNECT 127.0.0.1:8099: status 503 (ERR_CONNECT_FAIL 111), from the proxy`,
      ),
    );
  });

  test('that wants a login is up with the right password only', async () => {
    const proxy = ['--proxy', '127.0.0.1:3130', '--url', `${ORIGIN}/200`];
    const login = [...proxy, '--proxy-user', 'probe', '--proxy-password-file'];
    const question = `127.0.0.1:3130 GET ${ORIGIN}/200`;
    expect(await ask(...login, password)).toEqual(upWith(question));
    for (const args of [proxy, [...login, otherPassword]]) {
      expect(await ask(...args)).toEqual(
        downWith(
          'proxy-error',
          `${question}: status 407 (ERR_CACHE_ACCESS_DENIED 0), from the proxy`,
        ),
      );
    }
    const tunnel = [
      '--connect',
      '127.0.0.1:8081',
      ...login.filter((arg) => !proxy.slice(2).includes(arg)),
    ];
    expect(await ask(...tunnel, password)).toMatchObject({ exitCode: 0 });
  });

  test('that is closed to the probe by mistake is down', async () => {
    expect(await ask('--proxy', '127.0.0.1:3131')).toEqual(
      downWith(
        'proxy-error',
        `127.0.0.1:3131 GET ${ICON}: status 403 (ERR_ACCESS_DENIED 0), from the proxy`,
      ),
    );
    const denied = ['--proxy', '127.0.0.1:3131', '--connect', 'a.test:25', '--status', '403'];
    expect(await ask(...denied)).toMatchObject({ exitCode: 0 });
  });

  test('for a page that comes byte by byte ends at the deadline', async () => {
    const { exitCode, stdout } = await ask('--url', `${ORIGIN}/slow`, '--timeout', '500ms');
    expect(exitCode).toBe(2);
    expect(stdout).toMatch(
      /^down \(timeout\): .*: no whole answer in time, got status 200 and \d+ bytes of the body\n$/,
    );
  });

  test('shows the password nowhere', async () => {
    const login = ['--proxy-user', 'probe', '--proxy-password-file', password];
    const { stdout, stderr } = await ask('--proxy', '127.0.0.1:3130', ...login, '--verbose');
    const encoded = Buffer.from(`probe:${PROXY_PASSWORD}`).toString('base64');
    expect(stdout + stderr).toContain('status 200');
    expect(stdout + stderr).not.toContain(PROXY_PASSWORD);
    expect(stdout + stderr).not.toContain(encoded);
  });
});

describe('one question to tinyproxy', () => {
  let namespace: Namespace;
  let tinyproxy: Daemon;
  const TINYPROXY = '127.0.0.1:8888';

  beforeAll(async () => {
    namespace = await Namespace.create();
    await startOrigin(namespace);
    tinyproxy = await startTinyproxy(namespace, folder);
  });
  afterAll(async () => {
    await namespace.dispose();
  });

  async function ask(...args: readonly string[]): Promise<Outcome> {
    return probe(namespace, '--attempts', '1', '--proxy', TINYPROXY, ...args);
  }

  test('for an origin is up, and its errors are told from the origin’s', async () => {
    expect(await ask('--url', `${ORIGIN}/200`)).toEqual(upWith(`${TINYPROXY} GET ${ORIGIN}/200`));
    expect(await ask('--url', `${ORIGIN}/503`)).toEqual(
      downWith('bad-status', `${TINYPROXY} GET ${ORIGIN}/503: status 503, from the origin`),
    );
    expect(await ask('--url', NO_ORIGIN)).toEqual(
      downWith('proxy-error', `${TINYPROXY} GET ${NO_ORIGIN}: status 500, from the proxy`),
    );
  });

  test('for a tunnel is up, and down where it refuses one', async () => {
    expect(await ask('--connect', '127.0.0.1:8081')).toEqual(
      upWith(`${TINYPROXY} CONNECT 127.0.0.1:8081`),
    );
    expect(await ask('--connect', '127.0.0.1:8099')).toEqual(
      downWith('proxy-error', `${TINYPROXY} CONNECT 127.0.0.1:8099: status 403, from the proxy`),
    );
  });

  test('for squid’s icon is its own error', async () => {
    expect(await ask()).toEqual(
      downWith('proxy-error', `${TINYPROXY} GET ${ICON}: status 400, from the proxy`),
    );
  });

  test('that hangs is down at the deadline, and at once when it is gone', async () => {
    tinyproxy.freeze();
    expect(await ask('--url', `${ORIGIN}/200`)).toEqual(
      downWith('timeout', `${TINYPROXY} GET ${ORIGIN}/200: no whole answer in time, got nothing`),
    );
    await tinyproxy.stop();
    expect(await ask('--url', `${ORIGIN}/200`)).toEqual(
      downWith('refused', `${TINYPROXY} GET ${ORIGIN}/200: connection refused`),
    );
  });
});

describe('the service address follows squid', () => {
  let namespace: Namespace;
  let squid: Daemon;

  beforeAll(async () => {
    namespace = await Namespace.create();
    squid = await startSquid(namespace, squidFolder);
  });
  afterAll(async () => {
    await namespace.dispose();
  });

  /** Two passes, so that rise and fall are reached. */
  async function passes(
    ...more: readonly string[]
  ): Promise<{ exits: (number | null)[]; kernel: string[] }> {
    const args = [
      ...['--address', '192.0.2.1', '--address', '2001:db8::1'],
      ...['--state-dir', path.join(folder, 'state'), '--persist-dir', path.join(folder, 'persist')],
      ...['--retry-delay', '50ms', '--drain', '0s', ...more],
    ];
    const exits = [];
    for (let pass = 0; pass < 2; pass += 1) exits.push((await probe(namespace, ...args)).exitCode);
    return { exits, kernel: await namespace.serviceAddresses() };
  }
  const UP = { exits: [0, 0], kernel: ['192.0.2.1/32', '2001:db8::1/128'] };
  const DOWN = { exits: [2, 2], kernel: [] };

  test('up, frozen and thawed, stopped and started again, and closed to the probe', async () => {
    expect(await passes()).toEqual(UP);
    squid.freeze();
    expect(await passes()).toEqual(DOWN);
    squid.thaw();
    expect(await passes()).toEqual(UP);
    await squid.stop();
    expect(await passes()).toEqual(DOWN);
    await squid.restart();
    expect(await passes()).toEqual(UP);
    await squid.kill();
    expect(await passes()).toEqual(DOWN);
    await squid.restart();
    expect(await passes('--proxy', '127.0.0.1:3131')).toEqual(DOWN);
    expect(await passes()).toEqual(UP);
  });
});

import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Finished } from '../support/child.ts';
import { run } from '../support/executable.ts';
import { Namespace } from '../support/namespace.ts';
import { listens, startBind, startUnbound } from '../support/service-daemons.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const [V4, V6] = ['192.0.2.1', '2001:db8::1'];

let namespace: Namespace;
let folder: string;
beforeEach(async () => {
  namespace = await Namespace.create();
  folder = createTemporaryFolder();
});
afterEach(async () => {
  await namespace.dispose();
  removeTemporaryFolder(folder);
});

function execute(name: string, ...args: readonly string[]): Promise<Finished> {
  const folders = ['--state-dir', path.join(folder, 'state'), '--persist-dir', folder];
  return run(name, [...folders, ...args], { namespace });
}

async function advertise(...args: readonly string[]): Promise<void> {
  const pass = await execute('dns-probe', '-a', V4, '-a', V6, '--rise', '1', ...args);
  expect(pass.exitCode).toBe(0);
}

const SUSPENDED = `ha-suspend: dns-probe: suspended; withdrew ${V4}/32 dev lo, ${V6}/128 dev lo\n`;

describe('ha-suspend', () => {
  test('says when BIND has closed its sockets at the addresses: in the second half of the drain', async () => {
    await startBind(namespace, folder);
    await advertise();
    await until('BIND has seen them', () => listens(namespace, `${V4}:53`, `[${V6}]:53`));
    const { exitCode, stdout, stderr } = await execute('ha-suspend', 'dns-probe', '--drain', '6s');
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
    const [suspended, warning, ...rest] = stderr.split('\n');
    expect(`${suspended ?? ''}\n`).toBe(SUSPENDED);
    expect(warning).toMatch(
      /^ha-suspend: warning: dns-probe: named closed [^\n]*: if the network takes longer than 3s to hear of a withdrawal, take a longer --drain$/,
    );
    for (const transport of ['udp', 'tcp']) {
      expect(warning).toContain(`${transport} ${V4}:53`);
      expect(warning).toContain(`${transport} [${V6}]:53`);
    }
    expect(rest).toEqual(['']);
  });

  test('says so at once where there is no drain interface to keep them for', async () => {
    await startBind(namespace, folder);
    await advertise('--drain-interface', '');
    await until('BIND has seen them', () => listens(namespace, `${V4}:53`, `[${V6}]:53`));
    const { exitCode, stderr } = await execute('ha-suspend', 'dns-probe', '--drain', '4s');
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(
      /\n[^\n]* closed [^\n]*udp 192\.0\.2\.1:53[^\n]*: nothing is drained there \(DAEMONS in anycast-ha\(7\) says how it would keep them\)\n$/,
    );
  });

  test('says nothing where the service listens on all addresses', async () => {
    await startUnbound(namespace, folder);
    await advertise();
    expect(await execute('ha-suspend', 'dns-probe', '--drain', '4s')).toMatchObject({
      exitCode: 0,
      stdout: '',
      stderr: SUSPENDED,
    });
  });
});

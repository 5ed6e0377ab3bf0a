import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../support/executable.ts';
import { Namespace } from '../support/namespace.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.ts';

let node: Namespace;
let folder: string;
beforeAll(async () => {
  folder = createTemporaryFolder();
  writeFileSync(path.join(folder, 'secret'), 'secret\n', { mode: 0o600 });
  node = await Namespace.create();
  await node.ip('link add link0 type veth peer name link1');
  for (const end of ['link0', 'link1']) await node.ip(`link set ${end} up`);
  await node.ip('address add 198.51.100.9/24 dev link0');
});
afterAll(async () => {
  await node.dispose();
  removeTemporaryFolder(folder);
});

const OTHER = '198.51.100.9';

// Nobody listens: with lo up that shows at once, with lo down nothing comes back at all.
test.each([
  ['dns-probe', '--server', '127.0.0.1'],
  ['dns-probe', '--server', OTHER],
  ['dns-probe', '--server', OTHER, '--transport', 'tcp'],
  ['radius-probe', '--server', '127.0.0.1:1812'],
  ['radius-probe', '--server', `${OTHER}:1812`],
  ['squid-probe', '--proxy', '127.0.0.1:3128'],
  ['squid-probe', '--proxy', `${OTHER}:3128`],
  ['http-probe', '--connect-to', `${OTHER}:80`],
  ['http-probe', '--connect-to', OTHER, '--url', 'https://www.test/', '--tls-insecure'],
  ['syslog-probe', '--send', `udp://${OTHER}:5514`, '--listen', `udp://${OTHER}:5515`],
  ['syslog-probe', '--send', `tcp://${OTHER}:5514`, '--listen', `tcp://${OTHER}:5515`],
])('%s %s %s %s %s: lo that is down is no fault of the service', async (program, ...words) => {
  const secret = program === 'radius-probe' ? ['--secret-file', path.join(folder, 'secret')] : [];
  const given = words.filter((word) => typeof word === 'string');
  const args = [...given, ...secret, '--timeout', '400ms', '--attempts', '1'];
  await node.ip('link set lo up');
  expect((await run(program, args, { namespace: node })).exitCode).toBe(2);
  await node.ip('link set lo down');
  const { exitCode, stdout, stderr } = await run(program, args, { namespace: node });
  expect({ exitCode, stderr }, stdout).toEqual({ exitCode: 69, stderr: '' });
  expect(stdout).toMatch(/^unknown \((?:no-interface|resources)\): /);
  await node.ip('link set lo up');
});

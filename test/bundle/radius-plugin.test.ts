import { appendFileSync, cpSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import radius from 'radius';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { radiusPlugin } from '../../scripts/build/radius-plugin.mjs';
import { runCommand } from '../support/child.ts';
import { ROOT } from '../support/executable.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.ts';

const folder = createTemporaryFolder();
let bundles = 0;
const PACKAGE = path.join(ROOT, 'node_modules/radius');

afterAll(() => {
  removeTemporaryFolder(folder);
});

/** Bundles a script against the package in a folder's node_modules. */
async function bundle(source: string, project: string): Promise<string> {
  const outfile = path.join(folder, `bundle-${(bundles += 1)}.js`);
  await build({
    stdin: { contents: source, resolveDir: project },
    outfile,
    bundle: true,
    format: 'iife',
    platform: 'node',
    logLevel: 'silent',
    plugins: [radiusPlugin],
  });
  return outfile;
}

/** A project of its own with a copy of the package. */
function projectWithCopy(name: string): { readonly project: string; readonly copy: string } {
  const project = path.join(folder, name);
  const copy = path.join(project, 'node_modules/radius');
  mkdirSync(path.dirname(copy), { recursive: true });
  cpSync(PACKAGE, copy, { recursive: true });
  return { project, copy };
}

const REQUESTS = [
  { code: 'Status-Server', attributes: [['NAS-Identifier', 'x']] },
  {
    code: 'Access-Request',
    attributes: [
      ['Message-Authenticator', '00'.repeat(16)],
      ['User-Name', 'nemo'],
      ['User-Password', 'arctangent'],
      ['NAS-IP-Address', '192.0.2.3'],
      ['NAS-Port', 3],
    ],
  },
  {
    code: 'Accounting-Request',
    attributes: [
      ['Acct-Status-Type', 'Stop'],
      ['Acct-Session-Id', 'anycast-ha'],
      ['Acct-Session-Time', 0],
      ['Acct-Input-Gigawords', 7],
    ],
  },
] as const;

/** Encodes them all with whatever `radius` is; the same text runs bundled and unbundled. */
const ENCODE = `(radius, requests) => requests.map(({ code, attributes }) => radius.encode({
  code,
  secret: Buffer.from('xyzzy5461'),
  identifier: 7,
  authenticator: code === 'Accounting-Request' ? undefined : Buffer.alloc(16, 9),
  add_message_authenticator: false,
  attributes: attributes.map(([name, value]) =>
    [name, name === 'Message-Authenticator' ? Buffer.from(value, 'hex') : value]),
}).toString('hex'))`;

describe('the radius package in the bundle', () => {
  let run: Awaited<ReturnType<typeof runCommand>>;

  beforeAll(async () => {
    const outfile = await bundle(
      `import radius from 'radius';
       console.log(JSON.stringify((${ENCODE})(radius, ${JSON.stringify(REQUESTS)})));`,
      ROOT,
    );
    run = await runCommand(process.execPath, ['--throw-deprecation', outfile], { cwd: '/' });
  });

  test('needs no file beside it, and Node has nothing to warn of', () => {
    expect(run.stderr).toBe('');
    expect(run.exitCode).toBe(0);
  });

  test('encodes what the package itself encodes', () => {
    const encode = (0, eval)(ENCODE) as (
      package_: typeof radius,
      requests: typeof REQUESTS,
    ) => string[];
    expect(JSON.parse(run.stdout)).toEqual(encode(radius, REQUESTS));
  });
});

describe('the build fails', () => {
  const SOURCE = "import radius from 'radius'; console.log(radius.encode);";

  test('not for a copy of the package as it is', async () => {
    const { project } = projectWithCopy('same');
    await expect(bundle(SOURCE, project)).resolves.toBeTypeOf('string');
  });

  test.each([
    ['the package', 'lib/radius.js', 'lib/radius.js has changed'],
    ['a dictionary', 'dictionaries/dictionary.rfc2866', 'dictionaries has changed'],
  ])('when the text of %s is another one', async (name, file, message) => {
    const { project, copy } = projectWithCopy(name.replace(' ', '-'));
    appendFileSync(path.join(copy, file), '\n');
    await expect(bundle(SOURCE, project)).rejects.toThrow(message);
  });
});

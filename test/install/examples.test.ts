import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT, run } from '../support/executable.ts';
import { Namespace } from '../support/namespace.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.ts';

const FOLDER = path.join(ROOT, 'scripts/examples/config');

let namespace: Namespace;
let folder: string;

beforeAll(async () => {
  namespace = await Namespace.create();
  folder = createTemporaryFolder();
  writeFileSync(path.join(folder, 'radius.secret'), 'secret\n', { mode: 0o600 });
});

afterAll(async () => {
  await namespace.dispose();
  removeTemporaryFolder(folder);
});

/** The text with all that it proposes, too: a line `#key = …` counts where there is no such key. */
function withProposals(text: string): string {
  const set = new Set([...text.matchAll(/^([\w-]+) = /gm)].map(([, key]) => key));
  return text.replace(/^#([\w-]+)( = )/gm, (line, key: string, rest: string) =>
    set.has(key) ? line : `${key}${rest}`,
  );
}

test.each(readdirSync(FOLDER))(
  '%s is a configuration, with and without its proposals',
  async (file) => {
    const text = readFileSync(path.join(FOLDER, file), 'utf8');
    const [, probe = '', instance] = /([\w-]+-probe)@([\w-]+)\.timer/.exec(text) ?? [];
    expect(`${String(instance)}.toml`).toBe(file);
    const extra =
      probe === 'radius-probe' ? ['--secret-file', path.join(folder, 'radius.secret')] : [];
    const state = ['--state-dir', path.join(folder, 'state'), '--dry-run'];
    // The route cannot do without its proposals.
    for (const content of probe === 'tcp-route-probe' ? [] : [text]) {
      writeFileSync(path.join(folder, file), content);
      const args = ['--config', path.join(folder, file), ...extra];
      const { exitCode, stderr } = await run(probe, args, { namespace });
      expect([0, 2, 69], stderr).toContain(exitCode);
    }
    writeFileSync(path.join(folder, file), withProposals(text));
    const args = ['--config', path.join(folder, file), ...extra, ...state];
    const { exitCode, stdout, stderr } = await run(probe, args, { namespace });
    expect([0, 2, 69], stderr).toContain(exitCode);
    expect(stdout).toContain('would change: ');
  },
);

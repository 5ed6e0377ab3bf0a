import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { renderCompletion } from '../../../src/lib/cli/completion.ts';
import type { HelpSubject } from '../../../src/lib/cli/help.ts';
import { runCommand } from '../../support/child.ts';
import { exampleSubject } from '../../support/example-subject.ts';
import { tryInBash, tryInZsh } from '../../support/shell-completion.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../support/temporary-folder.ts';

/** Puts a state folder of the test's own in place of the machine's, within a mount namespace. */
const WITH_INSTANCES = `mount -t tmpfs none /run && mkdir /run/anycast-ha
touch /run/anycast-ha/dns.json /run/anycast-ha/dns.lock /run/anycast-ha/route-2001:db8::1.json
touch '/run/anycast-ha/$(touch pwned).json'`;

const INSTANCES: HelpSubject = {
  ...exampleSubject,
  synopsis: 'INSTANCE... | INSTANCE -- COMMAND [ARG...]',
};
const ROUTE: HelpSubject = { ...exampleSubject, synopsis: 'DEV ADDR PORT...' };

let folder: string;
beforeEach(() => {
  folder = createTemporaryFolder();
});
afterEach(() => {
  removeTemporaryFolder(folder);
});

describe.each([
  { shell: 'bash', trial: tryInBash },
  { shell: 'zsh', trial: tryInZsh },
] as const)('completion in $shell', ({ shell, trial }) => {
  function complete(line: string, subject: HelpSubject = exampleSubject): Promise<string[]> {
    return trial(renderCompletion(subject, shell), line, folder, WITH_INSTANCES);
  }

  test('is a script without faults', async () => {
    const script = path.join(folder, 'script');
    writeFileSync(script, renderCompletion(INSTANCES, shell));
    const checked = await runCommand(shell, ['-n', script]);
    expect(checked).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test('offers every flag', async () => {
    const flags = Object.keys(exampleSubject.table).map((name) => `--${name}`);
    const offered = await complete('sample-probe --');
    expect(
      offered.map((word) => word.replace(/=$/, '')).filter((word) => word.startsWith('--')),
    ).toEqual(flags.sort());
  });

  test('offers the choices of a value', async () => {
    expect(await complete('sample-probe --mode ')).toEqual(['auth', 'status']);
    expect(await complete('sample-probe --mode=a')).toEqual(['auth']);
  });

  test('offers the choices again behind a comma, where several may be given', async () => {
    expect(
      (await complete('sample-probe --require-flag ra,')).map((word) => word.replace('ra,', '')),
    ).toContain('ad');
  });

  test('offers the interfaces of the machine', async () => {
    expect(await complete('sample-probe --interface l')).toEqual(['lo']);
    expect(await complete('sample-probe l', ROUTE)).toEqual(['lo']);
  });

  test('offers files, and only folders where a folder is wanted', async () => {
    mkdirSync(path.join(folder, 'some-folder'));
    writeFileSync(path.join(folder, 'some-file'), '');
    expect(await complete('sample-probe --secret-file some')).toEqual(['some-file', 'some-folder']);
    expect(await complete('sample-probe --state-dir some')).toEqual(['some-folder']);
  });

  test('offers the instances that have a state', async () => {
    expect(await complete('sample-probe --instance d')).toEqual(['dns']);
    expect(await complete('sample-probe -i d')).toEqual(['dns']);
    expect(await complete('sample-probe d', INSTANCES)).toEqual(['dns']);
  });

  test('offers commands behind two dashes, and files behind the command', async () => {
    writeFileSync(path.join(folder, 'some-file'), '');
    expect(await complete('sample-probe dns -- mountpoin', INSTANCES)).toEqual(['mountpoint']);
    expect(await complete('sample-probe dns -- cat some', INSTANCES)).toEqual(['some-file']);
  });

  test('offers nothing where anything may stand', async () => {
    expect(await complete('sample-probe --timeout ')).toEqual([]);
    expect(await complete('sample-probe --address ')).toEqual([]);
  });
});

describe('completion in bash', () => {
  test('replaces only what stands behind the last colon of a name', async () => {
    const script = renderCompletion(INSTANCES, 'bash');
    const offered = await tryInBash(script, 'sample-probe route-2001:d', folder, WITH_INSTANCES);
    expect(offered).toEqual(['db8::1']);
  });

  test('runs nothing that the name of a file says', async () => {
    const script = renderCompletion(INSTANCES, 'bash');
    expect(await tryInBash(script, 'sample-probe ', folder, WITH_INSTANCES)).toEqual([
      'dns',
      'route-2001:db8::1',
    ]);
    expect((await runCommand('ls', [folder])).stdout).toBe('');
  });
});

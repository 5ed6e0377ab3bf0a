import path from 'node:path';
import { build } from 'esbuild';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { printable } from '../../../src/lib/cli/output.ts';
import { runCommand, type Finished } from '../../support/child.ts';
import { ROOT } from '../../support/executable.ts';
import { createTemporaryFolder, removeTemporaryFolder } from '../../support/temporary-folder.ts';

const folder = createTemporaryFolder();
const program = path.join(folder, 'speaker.cjs');

/** Says one message of each kind. JOURNAL=1: as if stderr were the journal's socket. */
const PROGRAM = `
import { fstatSync } from 'node:fs';
import { createOutput } from '${ROOT}/src/lib/cli/output.ts';
const [flags = ''] = process.argv.slice(2);
const { dev, ino } = fstatSync(2);
const journal = process.env['JOURNAL'] === '1' ? dev + ':' + ino : '1:1';
const output = createOutput({
  name: 'sample',
  verbose: flags.includes('v'),
  quiet: flags.includes('q'),
  environment: { JOURNAL_STREAM: journal },
});
output.step('a step');
output.notice('a notice');
output.warning('a doubt');
output.error('an error\\nsample: forged');
output.result('a result');
if (flags.includes('l')) output.error('x'.repeat(300_000));
output.flush();
output.flush();
process.exit(7);
`;

beforeAll(async () => {
  const stdin = { contents: PROGRAM, loader: 'ts', resolveDir: ROOT } as const;
  await build({ stdin, bundle: true, platform: 'node', format: 'cjs', outfile: program });
});

afterAll(() => {
  removeTemporaryFolder(folder);
});

function speak(flags: string, journal = ''): Promise<Finished> {
  const env = { ...process.env, JOURNAL: journal };
  return runCommand(process.execPath, [program, flags], { env });
}

describe('what is said', () => {
  test('messages go to stderr, results to stdout, each once', async () => {
    expect(await speak('')).toMatchObject({
      stderr: 'sample: a notice\nsample: warning: a doubt\nsample: an error?sample: forged\n',
      stdout: 'a result\n',
    });
  });

  test('--quiet leaves errors', async () => {
    expect((await speak('q')).stderr).toBe('sample: an error?sample: forged\n');
    expect((await speak('vq')).stderr).toMatch(/^sample: +\d+ ms {2}an error[^\n]*\n$/);
  });

  test('--verbose adds steps, and the time of each message', async () => {
    const lines = (await speak('v')).stderr.split('\n');
    expect(lines[0]).toMatch(/^sample: +\d+ ms {2}a step$/);
    expect(lines[2]).toMatch(/^sample: +\d+ ms {2}warning: a doubt$/);
  });

  test('the journal gets priorities, and no times', async () => {
    expect((await speak('v', '1')).stderr).toBe(
      '<7>sample: a step\n<5>sample: a notice\n<4>sample: warning: a doubt\n<3>sample: an error?sample: forged\n',
    );
  });

  test('a long message is written as a whole', async () => {
    expect((await speak('ql')).stderr.length).toBeGreaterThan(300_000);
  });
});

describe('a stream that nobody reads', () => {
  test.each([
    ['closed', '{ "$1" "$2" l >&- 2>&-; echo $? >&3; } 3>&1'],
    ['full', '{ "$1" "$2" l >/dev/full 2>/dev/full; echo $? >&3; } 3>&1'],
    ['a pipe whose reader is gone', '{ { "$1" "$2" l; echo $? >&3; } 2>&1 | true; } 3>&1'],
  ])('does not end the program: %s', async (_, script) => {
    const { stdout } = await runCommand('sh', ['-c', script, 'sh', process.execPath, program]);
    expect(stdout.trim()).toBe('7');
  });
});

test('a message is one line that moves no cursor, and printing it again changes nothing', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const shown = printable(text);
      // eslint-disable-next-line no-control-regex -- exactly these must not be there
      expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e]/);
      expect(printable(shown)).toBe(shown);
      expect(shown).toHaveLength(text.length);
    }),
  );
  expect(printable('grüße')).toBe('grüße');
  expect(printable('\x1b[2Jgone\r\n')).toBe('?[2Jgone??');
});

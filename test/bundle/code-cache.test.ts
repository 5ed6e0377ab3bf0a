import { expect, test } from 'vitest';
import { runCommand } from '../support/child.ts';
import { executablePath } from '../support/executable.ts';

const FILE = '/run/anycast-ha/.exec-probe.code';
const PASS = `${process.execPath} ${executablePath('exec-probe')} -- /bin/true`;
const SHOW = `stat -c '%a %u %h %F' ${FILE} 2>&1`;

/** Runs a script where /run is empty and its own. Returns what it printed, in lines. */
async function inOwnRun(script: string): Promise<readonly string[]> {
  const prepared = `mount -t tmpfs -o mode=755 tmpfs /run; umask 022; ${script}`;
  const ran = await runCommand('unshare', ['--mount', 'sh', '-ec', prepared]);
  expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
  return ran.stdout.trim().split('\n');
}

const UP = 'up: /bin/true: exit 0';
const KEPT = '644 0 1 regular file';

test('the first run keeps its code beside the state, and the next leaves it alone', async () => {
  const lines = await inOwnRun(`
    mkdir /run/anycast-ha; ${PASS}; ${SHOW}
    stat -c '%i %y' ${FILE} >/run/before; ${PASS}; stat -c '%i %y' ${FILE} | cmp - /run/before
    ls -A /run/anycast-ha`);
  expect(lines).toEqual([UP, KEPT, UP, '.exec-probe.code']);
});

test.each([
  ['the code of another build', `sed -i '1s/^................/0000000000000000/' ${FILE}`],
  ['garbage', `printf '%s' "$(head -c 16 ${FILE})garbage" >/run/x; cat /run/x >${FILE}`],
  ['nothing', `: >${FILE}`],
  ["another user's file", `chown 65534 ${FILE}`],
  ['a file that others may write', `chmod 666 ${FILE}`],
  ['a link', `mv ${FILE} /run/elsewhere; ln -s /run/elsewhere ${FILE}`],
])('%s in its place is not used, and replaced', async (_what, spoil) => {
  const lines = await inOwnRun(`
    mkdir /run/anycast-ha; ${PASS}; stat -c %i ${FILE} >/run/before; ${spoil}
    ${PASS}; ${SHOW}; stat -c %i ${FILE} | cmp -s - /run/before || echo replaced`);
  expect(lines).toEqual([UP, UP, KEPT, 'replaced']);
});

test.each([
  ['is missing', 'true'],
  ['may be written by others', 'mkdir -m 777 /run/anycast-ha'],
  ["is another user's", 'mkdir /run/anycast-ha; chown 65534 /run/anycast-ha'],
  ['is no folder', 'touch /run/anycast-ha'],
  ['is a link', 'mkdir /run/x; ln -s /run/x /run/anycast-ha'],
  ['is full', 'mkdir /run/anycast-ha; head -c 1G /dev/zero >/run/x 2>/dev/null || true'],
])('where the folder %s, nothing is kept', async (_what, prepare) => {
  const limited = prepare.includes('head') ? 'mount -o remount,size=64k /run;' : '';
  const lines = await inOwnRun(`
    ${limited} ${prepare}; ${PASS}; ls -A /run/anycast-ha/ 2>/dev/null || true`);
  expect(lines).toEqual([UP]);
});

test('a run that only shows something keeps nothing', async () => {
  const lines = await inOwnRun(`
    mkdir /run/anycast-ha; ${executablePath('exec-probe')} --version; ls -A /run/anycast-ha`);
  expect(lines).toHaveLength(1);
});

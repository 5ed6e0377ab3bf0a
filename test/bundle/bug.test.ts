import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Finished } from '../support/child.ts';
import { DnsSite } from '../support/dns-site.ts';
import { executablePath } from '../support/executable.ts';

const V4 = '192.0.2.1';
const V6 = '2001:db8::1';
const BOTH = ['-a', V4, '-a', V6];
const BROKEN = "throw new TypeError('broken here');";

let site: DnsSite;
beforeEach(async () => {
  site = await DnsSite.create();
});
afterEach(async () => {
  await site.dispose();
});

describe('exit status 70: a bug of ours', () => {
  const IN_A_CALL = `Date.now = () => { ${BROKEN} };`;
  // Behind the first line of main(): process.on('uncaughtException').
  const IN_A_CALLBACK = `process.on('newListener', (event) => {
    if (event === 'uncaughtException') process.nextTick(() => { ${BROKEN} });
  });`;

  /** A Node in which something is broken is the one bug that can be had for the asking. */
  function withBug(bug: string, program: string, args: readonly string[]): Promise<Finished> {
    const hook = path.join(site.folder, 'hook.cjs');
    writeFileSync(hook, bug);
    const command = ['--require', hook, executablePath(program), ...site.args(args)];
    return site.namespace.exec(process.execPath, command);
  }

  test.each(['ha-status', 'ha-suspend', 'ha-resume'])(
    'ends %s, which says where in one line',
    async (program) => {
      await site.advertise(BOTH);
      const { exitCode, stdout, stderr } = await withBug(IN_A_CALL, program, ['dns-probe']);
      expect({ exitCode, stdout }).toEqual({ exitCode: 70, stdout: '' });
      expect(stderr).toMatch(/^ha-\w+: this is a bug: TypeError: broken here \| at [^\n]+\n$/);
    },
  );

  test.each([
    ['call', IN_A_CALL],
    ['callback', IN_A_CALLBACK],
  ])(
    'in a %s ends a pass, leaves kernel and state as they were, and the next one is none the wiser',
    async (_, bug) => {
      await site.advertise(BOTH);
      const before = site.state();
      const { exitCode, stdout, stderr } = await withBug(bug, 'dns-probe', BOTH);
      expect({ exitCode, stdout }).toEqual({ exitCode: 70, stdout: '' });
      expect(stderr).toMatch(/^dns-probe: this is a bug: TypeError: broken here \| at [^\n]+\n$/);
      expect(stderr).toContain('/hook.cjs:');
      expect(site.state()).toEqual(before);
      expect(await site.namespace.serviceAddresses()).toEqual([`${V4}/32`, `${V6}/128`]);
      expect(await site.probe(BOTH)).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });
      // Where a lock was left behind, the file that guards its breaking stays.
      expect(site.stateFiles().filter((name) => name !== '.break')).toEqual(['dns-probe.json']);
    },
  );
});

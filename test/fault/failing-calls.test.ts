import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Finished } from '../support/child.ts';
import { run } from '../support/executable.ts';
import { Figures, full, spread } from '../support/fault-figures.ts';
import { badManners } from '../support/fault-manners.ts';
import { FaultNode, type FaultyRun, type SystemCall } from '../support/fault-node.ts';

const TIMEOUT_MS = full ? 3_600_000 : 120_000;
const BOUNDED = 15;
const ERRORS = ['ENOSPC', 'EIO', 'EROFS', 'EMFILE', 'ENOMEM', 'EACCES'];
/** Not write(2): nearly all are libuv's to itself, which aborts when one fails. Files get pwrite64. */
const CALLS =
  /^(openat|pwrite64|ftruncate|fsync|rename|unlink|mkdir|symlink|readlink|getdents64|socket|socketpair|pipe2|bind|connect|sendto|sendmsg|clone3?|vfork)$/;
let node: FaultNode;
beforeEach(async () => {
  node = await FaultNode.create();
});
afterEach(async () => {
  await node.dispose();
});

interface Fault {
  readonly call: SystemCall;
  readonly error: string;
}

async function faultsOf(service: 'works' | 'fails'): Promise<readonly Fault[]> {
  const calls = (await node.trace('dns-probe', node.passArgs(service))).filter(({ name }) =>
    CALLS.test(name),
  );
  const all = calls.flatMap((call) => ERRORS.map((error) => ({ call, error })));
  return full ? all : spread(all, BOUNDED);
}

/** Runs a pass with each fault, from where `prepare` leads, and looks at what became of it. */
async function passesWithFaults(
  figures: Figures,
  service: 'works' | 'fails',
  prepare: 'works' | 'fails',
  examine: (run: FaultyRun, violate: (message: string) => void) => Promise<void>,
): Promise<Figures> {
  await node.pass(prepare);
  const faults = await faultsOf(service);
  for (const { call, error } of faults) {
    await node.lead(prepare, () => node.pass(prepare));
    const fault = `${call.name}:error=${error}:when=${call.occurrence}`;
    const run = await node.inject('dns-probe', node.passArgs(service), fault);
    if (run.hits.length === 0) {
      figures.count('not reached');
      continue;
    }
    figures.injected += 1;
    figures.count(`exit ${run.exitCode ?? run.signal}`);
    const violate = (message: string): void => {
      figures.violate(`${fault} (${run.hits.join('; ')}): ${message}: ${run.stderr.trim()}`);
    };
    for (const fault of [...badManners(run), ...node.unreadableState()]) violate(fault);
    for (const broken of await node.brokenWithdrawal()) violate(broken);
    await examine(run, violate);
  }
  return figures.publish();
}

async function nextPass(
  service: 'works' | 'fails',
  violate: (message: string) => void,
): Promise<void> {
  const next = await node.pass(service);
  const isRight = (await node.advertised()) === (service === 'works');
  if (!isRight) violate(`the next pass does not mend it (exit ${next.exitCode}, ${next.stderr})`);
  for (const remains of node.remains()) violate(remains);
}

describe('a system call that fails', { timeout: TIMEOUT_MS }, () => {
  test('never keeps a dead service advertised for longer than one pass', async () => {
    const figures = new Figures('failing calls: a pass that withdraws');
    await passesWithFaults(figures, 'fails', 'works', async (run, violate) => {
      if (await node.advertised()) {
        figures.count('still advertised');
        // The one excuse: the fault was in what reads or changes the kernel itself.
        if (run.exitCode !== 71) violate('still advertised');
      }
      await nextPass('fails', violate);
    });
    expect(figures.violations).toEqual([]);
    expect(figures.injected).toBeGreaterThan(BOUNDED / 2);
  });

  test('never withdraws a service that works', async () => {
    const figures = new Figures('failing calls: a pass that changes nothing');
    await passesWithFaults(figures, 'works', 'works', async (_run, violate) => {
      if (!(await node.advertised())) violate('withdrawn');
      await nextPass('works', violate);
    });
    expect(figures.violations).toEqual([]);
    expect(figures.injected).toBeGreaterThan(BOUNDED / 2);
  });

  test('at worst puts off the advertisement to the next pass', async () => {
    const figures = new Figures('failing calls: a pass that advertises');
    await passesWithFaults(figures, 'works', 'fails', async (run, violate) => {
      if (run.exitCode === 0 && !(await node.advertised())) {
        violate('not advertised, and exit 0');
      }
      await nextPass('works', violate);
    });
    expect(figures.violations).toEqual([]);
    expect(figures.injected).toBeGreaterThan(BOUNDED / 2);
  });

  test.each([
    ['the time since boot', '/proc/uptime', 2],
    ['which boot this is', '/proc/sys/kernel/random/boot_id', 74],
    ['which process we are', '/proc/self/ns/pid', 74],
  ])('a node that does not tell %s withdraws a dead service', async (_, file, status) => {
    await node.pass('works');
    const kept = await node.inject(
      'dns-probe',
      node.passArgs('works'),
      'openat,readlink:error=EIO',
      file,
    );
    expect(kept.hits).not.toEqual([]);
    expect(badManners(kept)).toEqual([]);
    expect(await node.advertised()).toBe(true);
    const run = await node.inject(
      'dns-probe',
      node.passArgs('fails'),
      'openat,readlink:error=EIO',
      file,
    );
    expect(badManners(run)).toEqual([]);
    expect(run.exitCode).toBe(status);
    expect(await node.advertised()).toBe(false);
    expect(await node.pass('works')).toMatchObject({ exitCode: 0 });
    expect(await node.advertised()).toBe(true);
  });

  test('a process that may open few files says so, and withdraws as soon as it can', async () => {
    const figures = new Figures('failing calls: limits on open files');
    const limited = (files: number, args: readonly string[]): Promise<Finished> => {
      const words = [`--nofile=${files}`, node.program('dns-probe'), ...args];
      return run('/usr/bin/prlimit', words, { namespace: node.namespace });
    };
    let fewest = 10;
    while ((await limited(fewest, ['--server', '127.0.0.1'])).exitCode !== 0) fewest += 1;
    let withdrawn = false;
    for (let files = fewest; files < fewest + 14; files++) {
      await node.pass('works');
      const ended = await limited(files, node.passArgs('fails'));
      figures.injected += 1;
      figures.count(`exit ${ended.exitCode ?? ended.signal}`);
      for (const fault of badManners(ended)) figures.violate(`${files} files: ${fault}`);
      withdrawn = !(await node.advertised());
      if (withdrawn !== (ended.exitCode === 2)) figures.violate(`${files} files: ${ended.stderr}`);
      await nextPass('fails', (message) => {
        figures.violate(`${files} files: ${message}`);
      });
    }
    expect(figures.publish().violations).toEqual([]);
    expect(withdrawn).toBe(true);
  });
});

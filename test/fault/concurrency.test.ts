import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Figures, full, seededRandom } from '../support/fault-figures.ts';
import { FaultNode } from '../support/fault-node.ts';

const DURATION_MS = full ? 60_000 : 6000;
const AT_ONCE = full ? 200 : 12;
const TIMEOUT_MS = full ? 3_000_000 : 120_000;
/** What a run may end with when others are at work too: 75 is busy. */
const ALLOWED: readonly (number | null)[] = [0, 75];
/**
 * How long a run waits for the others. Nobody may be taken for hanging because two processors have
 * two hundred Nodes to start: whoever waits kills what is ten seconds past its deadline.
 */
const WAIT = full ? '10m' : '60s';

let node: FaultNode;
beforeEach(async () => {
  node = await FaultNode.create();
});
afterEach(async () => {
  await node.dispose();
});

/** A probe that runs within the lock: it says when somebody else is inside as well. */
function guard(instance: string): readonly string[] {
  const inside = path.join(node.folder, `inside-${instance}`);
  const twice = path.join(node.folder, 'twice');
  const script = path.join(node.folder, `guard-${instance}`);
  writeFileSync(
    script,
    `#!/bin/sh\nmkdir ${inside} || echo ${instance} >>${twice}\nsleep 0.01\nrmdir ${inside}\n`,
    { mode: 0o755 },
  );
  return ['--timeout', WAIT, '--attempts', '1', '--', script];
}

function addressOf(index: number): string {
  return `192.0.2.${100 + index}`;
}

/**
 * Passes, suspensions and resumptions of some instances, many at once, for a while. Each run of a
 * suspension is by a holder of its own, who resumes later.
 */
async function everythingAtOnce(instances: number): Promise<Figures> {
  const figures = new Figures(`concurrency: ${AT_ONCE} runs at once of ${instances} instances`);
  const random = seededRandom(4);
  const names = Array.from({ length: instances }, (_, index) => `service-${index}`);
  const guards = names.map((name) => guard(name));
  const env = { timeoutMs: full ? 900_000 : 300_000 };
  let holders = 0;

  const pass = async (index: number): Promise<void> => {
    const args = ['-i', names[index] ?? '', '-a', addressOf(index), '--rise', '1'];
    const all = [...node.folderArgs(), ...args, '--lock-wait', WAIT, ...(guards[index] ?? [])];
    const { exitCode, stderr, signal } = await node.run('exec-probe', all, env);
    figures.count(`a pass: exit ${exitCode ?? signal}`);
    if (!ALLOWED.includes(exitCode)) figures.violate(`a pass: exit ${exitCode}: ${stderr}`);
  };
  const suspendAndResume = async (index: number): Promise<void> => {
    const by = `holder-${(holders += 1)}`;
    const args = [...node.folderArgs(), names[index] ?? '', '--by', by];
    const drain = ['--drain', random() < 0.5 ? '0s' : '100ms', '--lock-wait', WAIT];
    const suspended = await node.run('ha-suspend', [...args, ...drain], env);
    // Killed as one that hangs, on a machine that gave it no time: its suspension stands, and the
    // next pass takes the address out. What is promised to others is looked at all the same.
    const isStarved = suspended.signal === 'SIGKILL';
    figures.count(isStarved ? 'ha-suspend: starved' : `ha-suspend: exit ${suspended.exitCode}`);
    if (!isStarved && suspended.exitCode !== 0) figures.violate(`ha-suspend: ${suspended.stderr}`);
    if (isStarved) await pass(index);
    for (let look = 0; look < 5; look++) {
      const shown = (await node.namespace.addresses()).map(({ address }) => address);
      if (shown.includes(addressOf(index))) figures.violate(`${by}: advertised while suspended`);
      await sleep(20);
    }
    const resumed = await node.run('ha-resume', args, env);
    figures.count(`ha-resume: exit ${resumed.exitCode}`);
    if (resumed.exitCode !== 0) figures.violate(`ha-resume: ${resumed.stderr}`);
    if (!resumed.stderr.includes('resumed'))
      figures.violate(`a lost suspension: ${resumed.stderr}`);
  };

  for (let index = 0; index < instances; index++) await pass(index);
  const untilMs = performance.now() + DURATION_MS;
  const worker = async (): Promise<void> => {
    while (performance.now() < untilMs) {
      const index = Math.floor(random() * instances);
      await (random() < 0.7 ? pass(index) : suspendAndResume(index));
      figures.injected += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));

  const twice = path.join(node.folder, 'twice');
  if (existsSync(twice)) figures.violate(`two inside the lock: ${readFileSync(twice, 'utf8')}`);
  for (const remains of node.remains()) figures.violate(remains);
  for (let index = 0; index < instances; index++) await pass(index);
  const shown = (await node.namespace.addresses()).map(({ address }) => address);
  for (let index = 0; index < instances; index++) {
    if (!shown.includes(addressOf(index)))
      figures.violate(`${names[index]} is not back at the end`);
  }
  if (await node.drained()) figures.violate('a drain route stays');
  for (const misplaced of await node.misplaced(1)) figures.violate(misplaced);
  return figures.publish();
}

describe('many runs at once', { timeout: TIMEOUT_MS }, () => {
  test.each([1, 20])(
    'of %i instances neither meet, nor wait for ever, nor lose anything',
    async (count) => {
      mkdirSync(node.stateDir, { mode: 0o755 });
      expect((await everythingAtOnce(count)).violations).toEqual([]);
    },
  );
});

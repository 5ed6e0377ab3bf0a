import { existsSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Finished } from '../support/child.ts';
import { Figures, full, seededRandom } from '../support/fault-figures.ts';
import { ADDRESS, FaultNode } from '../support/fault-node.ts';
import { until } from '../support/until.ts';

const ROUNDS = full ? 200 : 12;
const TIMEOUT_MS = full ? 3_000_000 : 120_000;
/** As long as a pass takes from the answer to its end, on a machine that is busy. */
const LONGEST_MS = 120;

let node: FaultNode;
beforeEach(async () => {
  node = await FaultNode.create();
});
afterEach(async () => {
  await node.dispose();
});

const file = (suffix: string): string => path.join(node.stateDir, `dying.${suffix}`);
const died = (): string => path.join(node.folder, 'died');

/** One pass that decides at once, and asks a command. */
function pass(...command: readonly string[]): Promise<Finished> {
  const decision = ['--rise', '1', '--fall', '1', '--attempts', '1', '--lease', '2s'];
  const args = [...node.folderArgs(), '-i', 'dying', '-a', ADDRESS, ...decision, '--', ...command];
  return node.run('exec-probe', args);
}

/**
 * A service that answers and dies a moment later, and what systemd does then: first it notes the
 * end, then it withdraws. Out of the pass's reach, which ends what its command leaves behind.
 *
 * @returns the command that asks it
 */
async function dyingService(delayMs: number): Promise<string> {
  const fifo = path.join(node.folder, 'asked');
  const script = path.join(node.folder, 'dying');
  rmSync(fifo, { force: true });
  await node.namespace.exec('mkfifo', [fifo]);
  const end = [
    `read asked <${fifo}`,
    `sleep ${(delayMs / 1000).toFixed(3)}`,
    `/bin/ln -sfT "dying.service signal KILL" ${file('ended')}`,
    `/sbin/ip -force -batch ${file('withdraw')}`,
    `touch ${died()}`,
  ].join('; ');
  await node.namespace.spawn('sh', ['-c', end], { timeoutMs: 60_000 });
  writeFileSync(script, `#!/bin/sh\necho asked >${fifo}\n`, { mode: 0o755 });
  return script;
}

describe('a service that dies while a pass has its answer', { timeout: TIMEOUT_MS }, () => {
  test.each([
    ['is about to add', 'false'],
    ['is about to renew', 'true'],
  ])('never stays advertised where the pass %s', async (what, before) => {
    const figures = new Figures(`the service dies: the pass ${what}`);
    const random = seededRandom(14);
    for (let round = 0; round < ROUNDS / 2; round += 1) {
      rmSync(died(), { force: true });
      await pass(before);
      if (before === 'true') {
        if (!(await node.advertised())) figures.violate('it does not come back');
        await sleep(1050); // half of the lease is spent
      }
      const delayMs = random() * LONGEST_MS;
      const { exitCode, stderr } = await pass(await dyingService(delayMs));
      await until('the end', () => existsSync(died()));
      figures.injected += 1;
      figures.count(`exit ${String(exitCode)}`);
      if (await node.advertised()) figures.violate(`after ${delayMs.toFixed(0)} ms: ${stderr}`);
    }
    await pass('true');
    if (!(await node.advertised())) figures.violate('it does not come back');
    expect(figures.publish().violations).toEqual([]);
  });
});

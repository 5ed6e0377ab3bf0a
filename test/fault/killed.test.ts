import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Figures, full, spread } from '../support/fault-figures.ts';
import { FaultNode } from '../support/fault-node.ts';

const TIMEOUT_MS = full ? 3_600_000 : 120_000;

let node: FaultNode;
beforeEach(async () => {
  node = await FaultNode.create();
});
afterEach(async () => {
  await node.dispose();
});

/** Something that is killed at every boundary between two of its system calls. */
interface Victim {
  readonly name: string;
  readonly program: string;
  readonly args: () => readonly string[];
  /** Brings the node to where the victim starts from. */
  readonly prepare: () => Promise<unknown>;
  /** Looks at what a kill left behind; what must not be is reported. */
  readonly examine: (violate: (message: string) => void) => Promise<void>;
}

/** A pass that must end as it should whatever was killed before it. */
async function soundPass(
  service: 'works' | 'fails',
  shown: boolean,
  violate: (message: string) => void,
): Promise<void> {
  const { exitCode, stderr } = await node.pass(service);
  if (exitCode !== (service === 'works' ? 0 : 2))
    violate(`${service}: exit ${exitCode}: ${stderr}`);
  if ((await node.advertised()) !== shown) violate(`${service}: the address is wrong: ${stderr}`);
  for (const remains of node.remains()) violate(`${service}: ${remains}`);
}

async function bothPasses(violate: (message: string) => void): Promise<void> {
  await soundPass('fails', false, violate);
  await soundPass('works', true, violate);
  if (await node.drained()) violate('a drain route stays');
}

/** Kills it at boundaries that are evenly spread over its life, and counts. */
async function kill(victim: Victim, kills: number): Promise<Figures> {
  const figures = new Figures(`killed anywhere: ${victim.name}`);
  await node.lead(victim.name, victim.prepare);
  const calls = await node.trace(victim.program, victim.args());
  for (const { name, occurrence } of spread(calls, kills)) {
    await node.lead(victim.name, victim.prepare);
    const fault = `${name}:signal=KILL:when=${occurrence}`;
    const { signal, exitCode } = await node.inject(victim.program, victim.args(), fault);
    // Memory and threads are not managed in the same way twice: then there is no such call.
    figures.count(signal === 'SIGKILL' ? 'killed' : `ended before that (${exitCode})`);
    if (signal === 'SIGKILL') figures.injected += 1;
    const violate = (message: string): void => {
      figures.violate(`${fault}: ${message}`);
    };
    for (const unreadable of node.unreadableState()) violate(unreadable);
    for (const broken of await node.brokenWithdrawal()) violate(broken);
    await victim.examine(violate);
  }
  return figures.publish();
}

const suspend = (): readonly string[] => [...node.folderArgs(), 'dns-probe', '--drain', '100ms'];
const resume = (): readonly string[] => [...node.folderArgs(), 'dns-probe'];

async function afterSuspension(violate: (message: string) => void): Promise<void> {
  const suspended = node.suspended();
  await soundPass('works', !suspended, violate);
  const resumed = await node.run('ha-resume', resume());
  if (resumed.exitCode !== 0) violate(`ha-resume: exit ${resumed.exitCode}: ${resumed.stderr}`);
  await soundPass('works', true, violate);
  await bothPasses(violate);
}

const victims: readonly (Victim & { readonly kills: number; readonly bounded: number })[] = [
  {
    name: 'a pass that advertises',
    program: 'dns-probe',
    args: () => node.passArgs('works'),
    prepare: () => node.pass('fails'),
    examine: async (violate) => {
      await soundPass('works', true, violate);
      await soundPass('fails', false, violate);
    },
    kills: 400,
    bounded: 12,
  },
  {
    name: 'a pass that withdraws',
    program: 'dns-probe',
    args: () => node.passArgs('fails'),
    prepare: () => node.pass('works'),
    examine: bothPasses,
    kills: 400,
    bounded: 12,
  },
  {
    name: 'a pass that changes nothing',
    program: 'dns-probe',
    args: () => node.passArgs('works'),
    prepare: () => node.pass('works'),
    examine: async (violate) => {
      if (!(await node.advertised())) violate('the address went');
      await soundPass('works', true, violate);
      await soundPass('fails', false, violate);
    },
    kills: 120,
    bounded: 5,
  },
  {
    name: 'ha-suspend',
    program: 'ha-suspend',
    args: suspend,
    prepare: () => node.pass('works'),
    examine: afterSuspension,
    kills: 200,
    bounded: 6,
  },
  {
    name: 'ha-resume',
    program: 'ha-resume',
    args: resume,
    prepare: async () => {
      await node.pass('works');
      await node.run('ha-suspend', suspend());
    },
    examine: afterSuspension,
    kills: 60,
    bounded: 4,
  },
];

describe('killed anywhere', { timeout: TIMEOUT_MS }, () => {
  test.each(victims)(
    'a kill of $name leaves nothing that the next passes do not mend',
    async (victim) => {
      const wanted = full ? victim.kills : victim.bounded;
      const { violations, injected } = await kill(victim, wanted);
      expect(violations).toEqual([]);
      expect(injected).toBeGreaterThan(wanted / 3);
    },
  );
});

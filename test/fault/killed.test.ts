import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { start } from '../support/executable.ts';
import { Figures, full, spread } from '../support/fault-figures.ts';
import { ADDRESS, FaultNode } from '../support/fault-node.ts';
import { until } from '../support/until.ts';

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
  /** Whether the addresses may be another's while they are drained. */
  readonly givesUp?: boolean;
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
  if ((await node.moved()).length > 0) violate('an address stays on the drain interface');
}

/** What the drains here give an address on the drain interface, in seconds. */
const ON_DRAIN_INTERFACE_S = 1;

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
    for (const misplaced of await node.misplaced(ON_DRAIN_INTERFACE_S)) violate(misplaced);
    for (const broken of await node.brokenWithdrawal(victim.givesUp)) violate(broken);
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
    name: 'a planned withdrawal',
    program: 'dns-probe',
    args: () => node.passArgs('works', ['--withdraw', '--drain', '100ms']),
    givesUp: true,
    prepare: () => node.pass('works'),
    examine: bothPasses,
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

const V6 = '2001:db8::1';

/** Where one half of the move begins, and what does it. */
const moves = [
  {
    name: 'leaves',
    program: 'ha-suspend',
    args: suspend,
    prepare: () => node.pass('works', ['-a', V6]),
    seconds: ON_DRAIN_INTERFACE_S,
  },
  {
    name: 'returns',
    program: 'dns-probe',
    args: () => node.passArgs('works', ['-a', V6]),
    prepare: async () => {
      await node.pass('works', ['-a', V6]);
      // In the first half of a drain that nobody ends.
      const args = [...node.folderArgs(), 'dns-probe', '--drain', '30s'];
      const killed = await start(node.program('ha-suspend'), args, { namespace: node.namespace });
      await until('the move', async () => (await node.moved()).length === 2);
      killed.signal('SIGKILL');
      await killed.finished;
      await node.run('ha-resume', resume());
    },
    seconds: 15,
  },
];

/** More lines than a move has, with what `ip` asks before. */
const MOST_LINES = 16;

describe('ip killed between any two lines', { timeout: TIMEOUT_MS }, () => {
  test.each(moves)(
    'when an address $name keeps nothing beyond its time',
    async ({ name, program, args, prepare, seconds }) => {
      const figures = new Figures(`ip killed: an address ${name}`);
      for (let line = 1; line <= MOST_LINES; line += 1) {
        await prepare();
        const run = await node.inject(program, args(), `sendmsg:signal=KILL:when=${line}`);
        if (run.hits.length === 0) continue;
        figures.injected += 1;
        figures.count(`exit ${run.exitCode ?? run.signal}`);
        const violate = (message: string): void => {
          figures.violate(`${name}, line ${line}: ${message}: ${run.stderr}`);
        };
        for (const misplaced of await node.misplaced(seconds)) violate(misplaced);
        if (name === 'leaves') {
          await until('the end of its lifetime', async () => (await node.moved()).length === 0);
        }
        await node.run('ha-resume', resume());
        for (const [service, there] of [
          ['fails', 0],
          ['works', 2],
        ] as const) {
          const { exitCode, stderr } = await node.pass(service, ['-a', V6]);
          if (exitCode !== (service === 'works' ? 0 : 2)) violate(`${service}: ${stderr}`);
          const shown = (await node.namespace.serviceAddresses()).filter(
            (prefix) => prefix === `${ADDRESS}/32` || prefix === `${V6}/128`,
          );
          if (shown.length !== there) violate(`${service}: ${shown.join(' ') || 'nothing'} on lo`);
          if (await node.drained()) violate(`${service}: a drain route stays`);
        }
      }
      const { violations, injected } = figures.publish();
      expect(violations).toEqual([]);
      expect(injected).toBeGreaterThan(5);
    },
  );
});

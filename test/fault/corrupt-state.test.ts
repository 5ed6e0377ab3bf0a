import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seal, unseal } from '../../src/lib/state/sealed-text.ts';
import { down } from '../../src/lib/probe/probe.ts';
import { Figures, full, seededRandom } from '../support/fault-figures.ts';
import { PassBench } from '../support/pass-bench.ts';

const TIMEOUT_MS = full ? 1_800_000 : 120_000;
const MUTATIONS = full ? 10_000 : 400;
/** When the fourth pass was made. */
const WRITTEN_AT_MS = 1_008_000;
const PLACE = '198.51.100.1/32 dev lo';

let bench: PassBench;
beforeEach(() => {
  bench = new PassBench();
});
afterEach(() => {
  bench.dispose();
});

/** The state of an instance that has advertised for a while. */
async function realState(): Promise<Buffer> {
  for (let pass = 0; pass < 4; pass++) await bench.pass();
  expect(bench.kernel.places).toEqual(new Set([PLACE]));
  return readFileSync(statePath());
}

function statePath(): string {
  return path.join(bench.stateDir, 'sample.json');
}

/**
 * Two passes over a service that works, then as many as it may take over one that does not, from
 * what a state file holds. Nothing may be thrown, the address may go only when it has to, and it
 * has to go in time.
 */
async function passesFrom(content: Buffer | string, what: string, figures: Figures): Promise<void> {
  figures.injected += 1;
  bench.nowMs = WRITTEN_AT_MS;
  bench.kernel.places.clear();
  bench.kernel.places.add(PLACE);
  bench.kernel.applied.length = 0;
  const violate = (message: string): void => {
    figures.violate(`${what}: ${message}: ${bench.lines.join('; ')}`);
  };
  writeFileSync(statePath(), content);
  try {
    const first = await bench.pass();
    figures.count(bench.lines.find((line) => line.includes('state')) ?? 'as if it were sound');
    if (first.exitStatus !== 0) violate(`exit ${first.exitStatus}`);
    await bench.pass();
    const removed = bench.kernel.applied.filter((change) => change.startsWith('remove'));
    if (removed.length > 0) violate(`withdrew ${removed.join(', ')} although it works`);
    writeFileSync(statePath(), content);
    bench.nowMs = WRITTEN_AT_MS;
    for (let pass = 0; pass < 3; pass++) await bench.pass({}, { probe: () => bad });
    if (bench.kernel.places.has(PLACE)) violate('stays advertised although it is down');
  } catch (error) {
    violate(`throws ${String(error)}`);
  }
}

const bad = Promise.resolve(down('timeout', 'no answer'));

/** One to three bytes changed, put in or left out. */
function mutate(content: Buffer, random: () => number): Buffer {
  let bytes = [...content];
  for (let count = 1 + Math.floor(random() * 3); count > 0; count--) {
    const at = Math.floor(random() * bytes.length);
    const byte = Math.floor(random() * 256);
    const kind = random();
    if (kind < 0.4) bytes[at] = byte;
    else if (kind < 0.6) bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
    else if (kind < 0.8) bytes.splice(at, 1);
    else bytes.splice(at, 0, byte);
    if (random() < 0.05) bytes = [...bytes, ...bytes.slice(at)];
  }
  return Buffer.from(bytes);
}

/** Values for any field, of the right type and of wrong ones. */
const WILD: readonly unknown[] = [
  ...[-1, 0, 1e15, 2 ** 53, 1e308, 0.5, null, true, '', 'x', [], {}, [[]]],
  ...['x'.repeat(100_000), Array.from({ length: 10_000 }, () => 'y'), '../../etc', '\u0000'],
];

/** A copy of a JSON value with one of its members, at any depth, replaced: all of them in turn. */
function* replaced(value: unknown, wild: unknown): Generator {
  if (typeof value !== 'object' || value === null) return;
  const entries = Object.entries(value);
  for (const [key, member] of entries) {
    const others = Object.fromEntries(entries.filter(([name]) => name !== key));
    yield { ...others, [key]: wild };
    for (const inner of replaced(member, wild)) yield { ...others, [key]: inner };
  }
}

describe('a state file', { timeout: TIMEOUT_MS }, () => {
  test('may be cut off anywhere', async () => {
    const figures = new Figures('corrupt state: truncations');
    const content = await realState();
    const step = full ? 1 : 5;
    for (let length = 0; length < content.length; length += step) {
      await passesFrom(content.subarray(0, length), `cut at ${length}`, figures);
    }
    expect(figures.publish().violations).toEqual([]);
  });

  test('may have any bytes changed', async () => {
    const figures = new Figures('corrupt state: random mutations');
    const content = await realState();
    const random = seededRandom(6);
    for (let count = 0; count < MUTATIONS; count++) {
      const mutant = mutate(content, random);
      await passesFrom(mutant, mutant.toString('latin1'), figures);
    }
    expect(figures.publish().violations).toEqual([]);
  });

  test('may hold wild values', async () => {
    const figures = new Figures('corrupt state: wild values');
    const state = JSON.parse(unseal((await realState()).toString('utf8')) ?? '') as unknown;
    for (const wild of WILD) {
      for (const mutant of replaced(state, wild)) {
        const text = seal(JSON.stringify(mutant));
        await passesFrom(text, text.slice(0, 1000), figures);
      }
    }
    for (const text of ['NaN', '[', '['.repeat(500_000), '{"a":'.repeat(100_000), '1e999']) {
      await passesFrom(text, text.slice(0, 20), figures);
    }
    expect(figures.publish().violations).toEqual([]);
  });

  test('may be of another instance, of another kind, or enormous', async () => {
    const figures = new Figures('corrupt state: others');
    const content = (await realState()).toString('utf8');
    const json = unseal(content) ?? '';
    for (const [what, from, to] of [
      ['instance', '"sample"', '"other"'],
      ['address', '198.51.100.1', '198.51.100.9'],
      ['kind', '"address"', '"route"'],
      ['interface', '"lo"', '"eth0"'],
      ['health', '"up"', '"down"'],
    ] as const) {
      await passesFrom(content.replace(from, to), `of another ${what}`, figures);
    }
    const foreign = json.replace('"sample"', '"other"').replace('198.51.100.1', '198.51.100.9');
    await passesFrom(seal(foreign), 'of another instance', figures);
    await passesFrom('', 'empty', figures);
    const before = process.memoryUsage().rss;
    writeFileSync(statePath(), content);
    truncateSync(statePath(), 2 ** 30);
    expect((await bench.pass()).exitStatus).toBe(0);
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 28);
    expect(figures.publish().violations).toEqual([]);
  });
});

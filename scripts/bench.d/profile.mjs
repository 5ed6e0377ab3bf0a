import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { median, runInTurn } from './cost/measure.mjs';
import { isInOwnNamespaces } from './cost/own-namespaces.mjs';
import { markAll, passesOn, prepareSite, settle } from './cost/site.mjs';

const HELP = `Usage: scripts/bench profile [OPTION...] [EXECUTABLE...]

Shows where the time of a pass that changes nothing goes, beside what an empty program takes on the
same Node: medians of each part, of executables that have marks put into them for that. Needs root,
and a quarter of a minute for each executable and Node. All of it happens in namespaces of its own.

  --rounds N      runs of each executable (default: 40)
  --node PATH     a Node to measure with (repeatable; default: the one that runs this)
`;

/** Written by the marks: a line for each run. */
const FILE = '/run/marks';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '40' },
    node: { type: 'string', multiple: true, default: [process.execPath] },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(HELP);
else if (isInOwnNamespaces()) await profile();

async function profile() {
  await prepareSite();
  const { empty, folder } = markAll(FILE);
  for (const node of values.node) {
    const version = String(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout).trim();
    const passes = passesOn(node, folder);
    for (const name of positionals.length === 0 ? Object.keys(passes) : positionals) {
      const command = passes[name];
      if (command === undefined) throw new Error(`there is no ${name}`);
      settle([command]);
      const [none, ours] = runMarked([[node, empty], command]);
      if (!none || !ours) throw new Error('nothing was measured');
      const load = loadavg()[0]?.toFixed(1);
      console.log(`### ${name} on Node ${version} (${values.rounds} runs, load ${load})\n`);
      show(rowsOf(none, ours));
    }
  }
}

/**
 * A run: what was used when its parts began, and in all. The last part is what is left to do when
 * the program has ended.
 *
 * @typedef {{ marks: [part: string, cpuUs: number, clockUs: number, faults: number, modules: number][],
 *   modules: string[] } & import('./cost/measure.mjs').Run} Run
 * @typedef {{ part: string, cpuMs: number, wallMs: number, faults: number, modules: string }} Row
 */

/**
 * @param {readonly (readonly string[])[]} commands with marks
 * @returns {Run[][]} the runs of each
 */
function runMarked(commands) {
  rmSync(FILE, { force: true });
  const runs = runInTurn(Number(values.rounds), commands);
  const lines = readFileSync(FILE, 'utf8').trimEnd().split('\n');
  const counted = lines.slice(commands.length); // without those for warming up
  return runs.map((ofCommand, index) =>
    ofCommand.map((run, round) => ({
      ...run,
      ...JSON.parse(counted[round * commands.length + index] ?? ''),
    })),
  );
}

/**
 * What a pass is made of: what an empty program takes, and what the pass takes beyond that.
 *
 * @param {readonly Run[]} none runs of the empty program, each made just before that of the same
 *   place among ours
 * @param {readonly Run[]} ours
 * @returns {Row[]}
 */
function rowsOf(none, ours) {
  /** @param {(run: Run) => number} figure */
  const ofEmpty = (figure) => median(none.map(figure));
  /** @param {(run: Run) => number} figure */
  const beyond = (figure) =>
    median(ours.map((run, index) => figure(run) - figure(none[index] ?? run)));
  /** @param {Run} run @param {number} what @param {number} at */
  const marked = ({ marks }, what, at) => Number(marks.at(at)?.[what]) / 1000;
  const parts = [...new Set(ours.flatMap(({ marks }) => marks.slice(2, -1).map(([part]) => part)))];
  return [
    {
      part: 'Node: an empty program',
      cpuMs: ofEmpty(({ cpuMs }) => cpuMs),
      wallMs: ofEmpty(({ wallMs }) => wallMs),
      faults: ofEmpty(({ marks }) => Number(marks.at(-1)?.[3])),
      modules: '',
    },
    {
      part: 'the file: reading and compiling by Node',
      cpuMs: beyond((run) => marked(run, 1, 0)),
      wallMs: beyond((run) => marked(run, 2, 0) - run.startMs),
      faults: beyond(({ marks }) => Number(marks[0]?.[3])),
      modules: '',
    },
    ...parts.map((part) => partRow(part, ours)),
    {
      part: 'end of the process, less that of an empty program',
      cpuMs: beyond((run) => run.cpuMs - marked(run, 1, -1)),
      wallMs: beyond((run) => run.startMs + run.wallMs - marked(run, 2, -1)),
      faults: 0,
      modules: '',
    },
    {
      part: 'all beyond an empty program',
      cpuMs: beyond(({ cpuMs }) => cpuMs),
      wallMs: beyond(({ wallMs }) => wallMs),
      faults: beyond(({ marks }) => Number(marks.at(-1)?.[3])),
      modules: '',
    },
  ];
}

/**
 * @param {string} part
 * @param {readonly Run[]} runs
 * @returns {Row}
 */
function partRow(part, runs) {
  /** @param {number} what */
  const used = (what) =>
    median(
      runs.map(({ marks }) =>
        marks.reduce(
          (sum, mark, index) =>
            mark[0] === part && index > 0
              ? sum + Number(marks[index + 1]?.[what]) - Number(mark[what])
              : sum,
          0,
        ),
      ),
    );
  const [run] = runs;
  const modules = (run?.marks ?? [])
    .flatMap(([name, , , , from], index) =>
      name === part ? (run?.modules.slice(from, run.marks[index + 1]?.[4]) ?? []) : [],
    )
    .filter((name) => name.startsWith('NativeModule'))
    .map((name) => name.slice('NativeModule '.length));
  return {
    part,
    cpuMs: used(1) / 1000,
    wallMs: used(2) / 1000,
    faults: used(3),
    modules: modules.join(' '),
  };
}

/** @param {readonly Row[]} rows the first is the empty program's */
function show(rows) {
  const emptyMs = rows[0]?.cpuMs ?? NaN;
  const lines = rows.map(({ part, cpuMs, wallMs, faults, modules }) => {
    const share = `${((100 * cpuMs) / emptyMs).toFixed(1)} %`;
    const cells = [part, cpuMs.toFixed(2), share, wallMs.toFixed(2), faults.toFixed(0), modules];
    return `| ${cells.join(' | ')} |`;
  });
  console.log(`| part | CPU ms | of an empty program | wall ms | page faults | modules of Node |
|---|---|---|---|---|---|
${lines.join('\n')}\n`);
}

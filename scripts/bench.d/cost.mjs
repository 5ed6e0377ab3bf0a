import { spawnSync } from 'node:child_process';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { countProcesses, measure } from './cost/measure.mjs';
import { isInOwnNamespaces } from './cost/own-namespaces.mjs';
import {
  crowdsOn,
  EMPTY,
  OTHERS,
  passesOn,
  prepareSite,
  removeCrowds,
  settle,
} from './cost/site.mjs';

const HELP = `Usage: scripts/bench cost [OPTION...]

Measures what passes that change nothing cost, as ratios to an empty program on the same Node, and
beside that what other checks cost. Runs are made in turn; the figures are medians. Needs root, and
about two minutes for each Node. All of it happens in namespaces of its own.

  --rounds N      runs of each command (default: 40)
  --node PATH     a Node to measure with (repeatable; default: the one that runs this)
`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '40' },
    node: { type: 'string', multiple: true, default: [process.execPath] },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) process.stdout.write(HELP);
else if (isInOwnNamespaces()) await bench();

async function bench() {
  await prepareSite();
  const rounds = Number(values.rounds);
  for (const node of values.node) {
    const version = String(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout).trim();
    const passes = passesOn(node);
    settle(Object.values(passes));
    table(
      `Node ${version}: ratios to an empty program (load ${String(loadavg()[0])})`,
      { 'empty program': [node, EMPTY], ...passes },
      rounds,
    );
    for (const [name, crowd] of Object.entries(crowdsOn(node))) {
      settle([crowd]);
      table(`Node ${version}: ${name}`, { 'empty program': [node, EMPTY], [name]: crowd }, rounds);
      removeCrowds();
    }
  }
  const [node = process.execPath] = values.node;
  const dns = passesOn(node)['dns-probe'] ?? [];
  table('Other checks: ratios to dns-probe', { 'dns-probe': dns, ...OTHERS }, rounds);
}

/**
 * @param {string} title
 * @param {Readonly<Record<string, readonly string[]>>} commands
 * @param {number} rounds
 */
function table(title, commands, rounds) {
  const costs = measure(rounds, Object.values(commands));
  const lines = Object.entries(commands).map(([name, command], index) => {
    const cost = costs[index];
    if (cost === undefined) throw new Error(`${name} was not measured`);
    const { wallMs, cpuMs, peakMb, wallRatio, cpuRatio, peakRatio } = cost;
    const cells = [
      name,
      countProcesses(command),
      ...[wallMs, cpuMs, peakMb].map((figure) => figure.toFixed(1)),
      ...[wallRatio, cpuRatio, peakRatio].map((figure) => figure.toFixed(2)),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  console.log(`${title}\n
| | processes | wall ms | CPU ms | peak MB | wall ratio | CPU ratio | peak ratio |
|---|---|---|---|---|---|---|---|
${lines.join('\n')}\n`);
}

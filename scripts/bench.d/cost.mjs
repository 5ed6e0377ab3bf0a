import { spawnSync } from 'node:child_process';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { costOfTrackScripts } from './cost/keepalived.mjs';
import { countProcesses, measure } from './cost/measure.mjs';
import { isInOwnNamespaces } from './cost/own-namespaces.mjs';
import {
  COMMAND,
  crowdsOn,
  EMPTY,
  OTHERS,
  passesOn,
  prepareSite,
  settle,
  TRACK_SCRIPTS,
  watchWork,
} from './cost/site.mjs';
import { CROWD_TARGETS, targetOf } from './cost/targets.mjs';

const HELP = `Usage: scripts/bench cost [OPTION...]

Measures what passes cost, from a configuration file as the units run them, as ratios to an empty
program on the same Node, and beside that what other checks cost. Runs are made in turn; a ratio is
the median of those of all rounds, with the quartiles of the CPU ratio beside it. Nothing is printed
of runs that did not do their work: another exit status, a question that no server saw, an address
that is not there. Needs root and keepalived, four minutes, and about three for each Node. All of it
happens in namespaces of its own.

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
const rounds = Number(values.rounds);

if (values.help) process.stdout.write(HELP);
else if (isInOwnNamespaces()) await bench();

async function bench() {
  await prepareSite();
  for (const node of values.node) {
    const version = String(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout).trim();
    const empty = [node, EMPTY];
    // Node 20 has no compile cache (it came with Node 22.1).
    const caches = version.startsWith('v20.') ? [undefined] : [undefined, `/run/cache-${version}`];
    const crowds = crowdsOn(node);
    for (const cache of caches) {
      const passes = passesOn(node, cache);
      settle(Object.values(passes));
      const commands = {
        'empty program': empty,
        'empty program again': empty, // shows how much of a ratio is chance
        ...passes,
      };
      table(`Node ${version}: ratios to an empty program`, commands, (name) =>
        targetOf(version, name),
      );
    }
    settle(Object.values(crowds));
    table(`Node ${version}: ratios to one instance`, crowds, (name) =>
      new Map(Object.entries(CROWD_TARGETS)).get(name),
    );
  }
  const [node = process.execPath] = values.node;
  const dns = passesOn(node, undefined)['dns-probe'] ?? [];
  table('Other checks: ratios to dns-probe', { 'dns-probe': dns, ...OTHERS }, () => undefined);
  trackScripts();
}

/**
 * @param {string} title
 * @param {Readonly<Record<string, readonly string[]>>} commands the first is the yardstick
 * @param {(name: string) => number | undefined} targetFor what the ratio of CPU time is to be at most
 */
function table(title, commands, targetFor) {
  const names = Object.keys(commands);
  const isExec = (/** @type {string} */ name) => /^exec-probe(?:,|$)/.test(name);
  const alone = names.some(isExec) ? [[COMMAND]] : [];
  const check = watchWork(commands, rounds + 1); // once for warming up
  const costs = measure(rounds, [...Object.values(commands), ...alone], names.findIndex(isExec));
  check();
  const lines = Object.entries(commands).map(([name, command], index) => {
    const cost = costs[index];
    if (cost === undefined) throw new Error(`${name} was not measured`);
    const { wallMs, cpuMs, peakMb, wallRatio, cpuRatio, cpuRatioRange, peakRatio } = cost;
    const target = targetFor(name);
    const cells = [
      isExec(name) ? `${name}, less its command` : name,
      countProcesses(command),
      ...[wallMs, cpuMs, peakMb].map((figure) => figure.toFixed(1)),
      wallRatio.toFixed(2),
      cpuRatio.toFixed(2),
      cpuRatioRange.map((ratio) => ratio.toFixed(2)).join('-'),
      peakRatio.toFixed(2),
      target === undefined ? '' : target.toFixed(2),
      target === undefined ? '' : cpuRatio > target ? 'missed' : 'met',
    ];
    return `| ${cells.join(' | ')} |`;
  });
  console.log(`${title} (${rounds} rounds, load ${loadavg()[0]?.toFixed(1)})\n
| | processes | wall ms | CPU ms | peak MB | wall ratio | CPU ratio | quartiles | peak ratio | target | |
|---|---|---|---|---|---|---|---|---|---|---|
${lines.join('\n')}\n`);
}

function trackScripts() {
  const costs = costOfTrackScripts(Object.values(TRACK_SCRIPTS));
  const lines = Object.keys(TRACK_SCRIPTS).map((name, index) => {
    const { cpuMs = NaN, peakMb = NaN } = costs[index] ?? {};
    // A process that keepalived forks becomes the script.
    return `| ${name} | 1 | ${cpuMs.toFixed(1)} | ${peakMb.toFixed(1)} |`;
  });
  console.log(`Each run of a track_script of keepalived (load ${loadavg()[0]?.toFixed(1)}); peak: of keepalived, which stays\n
| | processes | CPU ms | peak MB |
|---|---|---|---|
${lines.join('\n')}\n`);
}

import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { Lab } from '../lab.d/lab.mjs';
import { playScenario } from '../lab.d/scenarios.mjs';
import { describeRow, isFlapping, labsFor, PLAN, runsOf, TIMERS } from './failover-plan.mjs';
import { renderChart } from './failover-chart.mjs';
import { figuresOf, renderTable } from './failover-table.mjs';

const HELP = `Usage: scripts/bench failover [OPTION...]

Breaks a service node in every way, and counts the queries that a client loses: one per 10 ms over
UDP and one per 100 ms over TCP, for IPv4 and IPv6 each. Prints a table (median, least and most of
the runs). Needs root, and beyond what the tests do, keepalived. The rows of OSPF take three quarters
of an hour on two cores with nothing else to do; two labs are up at a time, and four for the scenario
that flaps, which only counts.

  --runs N        of each row (default: 5; 2.2 times as many where Unbound is killed, external
                  routes and FRR's timers)
  --only TEXT     rows whose description contains it (repeatable: all of them), as bgp or isis
  --list          print the descriptions of the rows, and end
  --labs N        that are up at a time (default: 2)
  --output FILE   append each run to it, as a line of JSON
  --report FILE   print the table of what such a file has, write man/failover.json, draw the chart
                  (man/failover.svg), and end
  --draw          draw the chart of man/failover.json, print its table, and end
  --name NAME     that the names of the labs begin with (default: bench)

How much is lost depends most on when a fault comes between two checks. So it comes at phases that
are evenly spread: in run k of n, (k - 0.5) / n of the interval after a check began, whatever checks
the service. The interval is 1 s: dns-probe is started every second, the shell loop sleeps a second
behind each of its checks, as such loops do, and keepalived has "interval 1".

keepalived tracks the health of one address by VRRP's rules. It has no drain: taken out it is
stopped. It has no lease either, and no hold-down but its "rise". A node that dies is the routing
protocol's to see, whatever checks its services: those rows are played with dns-probe alone. With
slower timers the loop stands for all that withdraws without a drain.

exabgp speaks BGP by itself, and its healthcheck has "--withdraw-on-down" in all rows but the one
that leaves with a longer path: a worse metric is no reason for routers of another AS to turn away.
Taken out, it finds the file of "--disable". Its interval is 5 s where nothing is said.

A run that fails is played once more in a new lab; if that fails too, the table says so.
`;

const INTERVAL_SECONDS = 1;
/** exabgp's own, where nothing else is said. */
const EXABGP_SECONDS = 5;
const FIGURES = path.resolve(import.meta.dirname, '../../man/failover.json');

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    only: { type: 'string', multiple: true, default: [] },
    list: { type: 'boolean', default: false },
    labs: { type: 'string', default: '2' },
    output: { type: 'string' },
    report: { type: 'string' },
    draw: { type: 'boolean', default: false },
    name: { type: 'string', default: 'bench' },
    help: { type: 'boolean', default: false },
  },
});

/** @typedef {import('./failover-plan.mjs').Row} Row */
/** @typedef {import('./failover-table.mjs').Run} Run */

const rows = PLAN.filter((row) => values.only.every((text) => describeRow(row).includes(text)));
if (values.help) process.stdout.write(HELP);
else if (values.list) console.log(rows.map(describeRow).join('\n'));
else if (values.draw) report(JSON.parse(readFileSync(FIGURES, 'utf8')));
else if (values.report !== undefined) report(figuresOf(readRuns(values.report)));
else await bench();

/** @param {readonly import('./failover-table.mjs').Figures[]} rows */
function report(rows) {
  const lines = rows.map((row) => `  ${JSON.stringify(row)}`).join(',\n');
  writeFileSync(FIGURES, `[\n${lines}\n]\n`);
  writeFileSync(FIGURES.replace(/json$/, 'svg'), renderChart(rows));
  console.log(renderTable(rows));
}

async function bench() {
  /** @type {Run[]} */
  const runs = [];
  const labs = labsFor(rows.filter((row) => !isFlapping(row)));
  const flapping = labsFor(rows.filter(isFlapping));
  await sideBySide(labs, Number(values.labs), runs);
  await sideBySide(flapping, flapping.length, runs);
  console.log(renderTable(figuresOf(runs)));
  if (runs.some(({ error }) => error !== undefined)) process.exitCode = 1;
}

/**
 * @param {Row[][]} labs the rows of each; what is begun is taken out
 * @param {number} count how many labs are up at a time
 * @param {Run[]} runs gets each run
 */
async function sideBySide(labs, count, runs) {
  const lanes = Array.from({ length: count }, async (_, index) => {
    const name = `${values.name}${index + 1}`;
    // One that was left by a bench that was killed.
    await new Lab(name).down();
    for (let its = labs.shift(); its !== undefined; its = labs.shift()) {
      await playInOneLab(name, its, runs);
    }
  });
  await Promise.all(lanes);
}

/**
 * @param {string} name of the lab
 * @param {readonly Row[]} rows
 * @param {Run[]} runs gets each run
 */
async function playInOneLab(name, rows, runs) {
  /** @type {Lab | undefined} */
  let lab;
  for (const row of rows) {
    const count = runsOf(row, Number(values.runs));
    for (let number = 1; number <= count; number += 1) {
      /** @type {Run | undefined} */
      let run;
      for (let attempt = 1; run?.measured === undefined && attempt <= 2; attempt += 1) {
        run = { row, load: loadavg()[0] ?? 0 };
        try {
          lab = await labFor(name, row, lab);
          run = { ...run, ...(await play(row, lab, (number - 0.5) / count)) };
        } catch (error) {
          run.error = String(error);
          await new Lab(name).down();
          lab = undefined;
        }
        console.error(`${describeRow(row)}: ${outcome(run)}`);
      }
      if (run === undefined) continue;
      runs.push(run);
      if (values.output !== undefined) appendFileSync(values.output, `${JSON.stringify(run)}\n`);
    }
  }
  await lab?.down();
}

/**
 * @param {string} name
 * @param {Row} row
 * @param {Lab | undefined} lab one that is up already
 */
async function labFor(name, { protocol, nodes, timers, nodeTimers, method, probe }, lab) {
  const spf = TIMERS[timers] ?? '';
  const options = { spf, nodeSpf: nodeTimers, method, interval: INTERVAL_SECONDS, probe };
  if (lab === undefined) return Lab.up(name, { protocol, nodes, ...options });
  const { protocol: _, nodes: __, ...present } = lab.options;
  if (!isDeepStrictEqual(present, options)) await lab.change(options);
  return lab;
}

/**
 * @param {Row} row
 * @param {Lab} lab
 * @param {number} phase
 */
async function play({ nodes, timers, scenario, method, probe, drainSeconds }, lab, phase) {
  const isSlow = method === 'exabgp' && !probe.includes('--interval');
  const interval = isSlow ? EXABGP_SECONDS : INTERVAL_SECONDS;
  if (nodes === 'network') await settle(timers, lab);
  const setting = { lab, method, interval, probe, drainSeconds, outSeconds: 2, phase };
  return playScenario(scenario, setting);
}

/**
 * A router that has computed its routes a moment ago waits longer before it does so again: a few
 * hold times, and the longest one at most. Faults are to come when all is quiet.
 *
 * @param {string} timers
 * @param {Lab} lab
 */
async function settle(timers, lab) {
  await lab.awaitSteady();
  const [, holdMs = 50, longestMs = 5000] = (TIMERS[timers] ?? '')
    .split(' ')
    .filter(Boolean)
    .map(Number);
  await sleep(Math.min(4 * holdMs, longestMs) + 1000);
}

/** @param {Run} run */
function outcome({ measured, error, load, circled }) {
  if (measured === undefined) return error;
  const lost = Object.entries(measured).map(([stream, { lost }]) => `${stream} ${lost}`);
  const died = `in circles ${circled?.v4}, ${circled?.v6}`;
  return `lost ${lost.join(', ')}; ${died} (load ${load.toFixed(1)})`;
}

/**
 * @param {string} file
 * @returns {Run[]}
 */
function readRuns(file) {
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => /** @type {Run} */ (JSON.parse(line)));
}

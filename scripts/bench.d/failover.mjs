import { appendFileSync, readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Lab } from '../lab.d/lab.mjs';
import { playScenario } from '../lab.d/scenarios.mjs';
import { describeRow, labOf, PLAN, TIMERS } from './failover-plan.mjs';
import { renderTable } from './failover-table.mjs';

const HELP = `Usage: scripts/bench failover [OPTION...]

Breaks a service node in every way, and counts the queries that a client loses: one per 10 ms over
UDP and one per 100 ms over TCP, for IPv4 and IPv6 each. Prints a table (median, least and most of
the runs). Needs root. All of it takes about an hour on a machine with nothing else to do.

  --runs N        of each row (default: 5)
  --only TEXT     rows whose description contains it (repeatable: all of them)
  --list          print the descriptions of the rows, and end
  --output FILE   append each run to it, as a line of JSON
  --report FILE   print the table of what such a file has, and end
  --name NAME     of the lab (default: bench)
`;

const INTERVAL_SECONDS = 1;

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    only: { type: 'string', multiple: true, default: [] },
    list: { type: 'boolean', default: false },
    output: { type: 'string' },
    report: { type: 'string' },
    name: { type: 'string', default: 'bench' },
    help: { type: 'boolean', default: false },
  },
});

const rows = PLAN.filter((row) => values.only.every((text) => describeRow(row).includes(text)));
if (values.help) process.stdout.write(HELP);
else if (values.list) console.log(rows.map(describeRow).join('\n'));
else if (values.report === undefined) await bench();
else console.log(renderTable(readRuns(values.report)));

async function bench() {
  /** @type {import('./failover-table.mjs').Run[]} */
  const runs = [];
  /** @type {{ lab: Lab, id: string } | undefined} */
  let current;
  for (const row of rows) {
    for (let number = 1; number <= Number(values.runs); number += 1) {
      /** @type {import('./failover-table.mjs').Run} */
      let run = { row, load: loadavg()[0] ?? 0 };
      try {
        if (current?.id !== labOf(row)) {
          await current?.lab.down();
          current = undefined;
          current = { lab: await labFor(row), id: labOf(row) };
        }
        run = { ...run, ...(await play(row, current.lab)) };
      } catch (error) {
        run.error = String(error);
        await current?.lab.down();
        current = undefined;
      }
      runs.push(run);
      if (values.output !== undefined) appendFileSync(values.output, `${JSON.stringify(run)}\n`);
      console.error(`${describeRow(row)}: ${outcome(run)}`);
    }
  }
  await current?.lab.down();
  console.log(renderTable(runs));
  if (runs.some(({ error }) => error !== undefined)) process.exitCode = 1;
}

/** @param {import('./failover-plan.mjs').Row} row */
async function labFor({ nodes, timers, method, probe }) {
  const spf = TIMERS[timers] ?? '';
  return Lab.up(values.name, { nodes, spf, method, interval: INTERVAL_SECONDS, probe });
}

/**
 * @param {import('./failover-plan.mjs').Row} row
 * @param {Lab} lab
 */
async function play({ timers, scenario, method, probe, drainSeconds }, lab) {
  const interval = INTERVAL_SECONDS;
  await settle(timers, lab);
  const setting = { lab, method, interval, probe, drainSeconds, outSeconds: 2 };
  return playScenario(scenario, setting);
}

/**
 * A router that has computed its routes a moment ago waits longer before it does so again, by its
 * longest hold time at most. Faults are to come when all is quiet.
 *
 * @param {string} timers
 * @param {Lab} lab
 */
async function settle(timers, lab) {
  await lab.awaitSteady();
  const longestHoldMs = Number((TIMERS[timers] ?? '').split(' ')[2] ?? 0);
  if (longestHoldMs > 0) await sleep(longestHoldMs + 1000);
}

/** @param {import('./failover-table.mjs').Run} run */
function outcome({ measured, error, load }) {
  if (measured === undefined) return error;
  const lost = Object.entries(measured).map(([stream, { lost }]) => `${stream} ${lost}`);
  return `lost ${lost.join(', ')} (load ${load.toFixed(1)})`;
}

/**
 * @param {string} file
 * @returns {import('./failover-table.mjs').Run[]}
 */
function readRuns(file) {
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => /** @type {import('./failover-table.mjs').Run} */ (JSON.parse(line)));
}

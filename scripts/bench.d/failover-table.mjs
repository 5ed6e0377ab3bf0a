import { SCENARIOS } from '../lab.d/scenarios.mjs';
import { STREAMS } from '../lab.d/measure.mjs';
import { describeChecker, describeRow, PLAN } from './failover-plan.mjs';

/** @typedef {import('./failover-plan.mjs').Row} Row */
/** @typedef {import('../lab.d/measure.mjs').Measured} Measured */

/**
 * One run of a row.
 *
 * @typedef {object} Run
 * @property {Row} row
 * @property {number} load of the machine, over the last minute
 * @property {Measured} [measured]
 * @property {{ v4: number, v6: number }} [routeChanges]
 * @property {{ v4: number, v6: number }} [circled] packets that died in circles
 * @property {string} [error] why it was not measured
 */

/**
 * @param {readonly Run[]} runs in any order
 * @returns {string} the table, in Markdown
 */
export function renderTable(runs) {
  const head = [
    ...['Scenario', 'Announced', 'Timers', 'Checker', 'Drain', 'Runs'],
    ...['UDP v4', 'UDP v6', 'TCP v4', 'TCP v6', 'In circles', 'Taken over after', 'Route changes'],
  ];
  const body = byRow(runs).map(cells);
  return [head, head.map(() => '---'), ...body].map((line) => `| ${line.join(' | ')} |`).join('\n');
}

/** @param {readonly Run[]} runs of one row */
function cells(runs) {
  const [first] = runs;
  if (first === undefined) return [];
  const { row } = first;
  const done = doneOf(runs);
  const failed = runs.length - done.length;
  const times = done.flatMap(({ measured: { udp4, udp6 } }) => [udp4.otherMs, udp6.otherMs]);
  const isPlanned = row.scenario === 'planned' || row.scenario === 'restart';
  return [
    SCENARIOS[row.scenario]?.title ?? row.scenario,
    { network: 'type 3', redistribute: 'E2', bird: 'E2, BIRD', bfd: 'E2, BFD' }[row.nodes] ??
      row.nodes,
    `${row.timers}${row.nodeTimers ? ', nodes too' : ''}`,
    `\`${describeChecker(row)}\``,
    isPlanned && row.method === 'probe' ? `${row.drainSeconds} s` : '',
    `${done.length}${failed === 0 ? '' : ` (${failed} failed)`}`,
    ...STREAMS.map((stream) => spread(done.map(({ measured }) => measured[stream].lost))),
    spread(done.map(({ circled }) => (circled?.v4 ?? 0) + (circled?.v6 ?? 0))),
    times.includes(null)
      ? 'never'
      : `${spread(
          times.map((ms) => Number(ms) / 1000),
          2,
        )} s`,
    spread(done.map(({ routeChanges }) => routeChanges?.v4 ?? 0)),
  ];
}

/**
 * The runs that were measured.
 *
 * @param {readonly Run[]} runs
 */
export function doneOf(runs) {
  return runs.flatMap(({ measured, routeChanges, circled }) =>
    measured === undefined ? [] : [{ measured, routeChanges, circled }],
  );
}

/**
 * The rows of these runs, in the order of the plan.
 *
 * @param {readonly Run[]} runs in any order
 * @returns {Run[][]} the runs of each
 */
export function byRow(runs) {
  /** @type {Map<string, Run[]>} */
  const found = new Map(PLAN.map((row) => [describeRow(row), []]));
  for (const run of runs) {
    const name = describeRow(run.row);
    found.set(name, [...(found.get(name) ?? []), run]);
  }
  return [...found.values()].filter(({ length }) => length > 0);
}

/**
 * Median, least and most.
 *
 * @param {readonly number[]} values
 * @param {number} [digits]
 */
export function spread(values, digits = 0) {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  const [least, most] = [sorted[0], sorted.at(-1)];
  if (low === undefined || high === undefined || least === undefined || most === undefined) {
    return '-';
  }
  const [median, from, to] = [(low + high) / 2, least, most].map((it) =>
    // The median of an even number of counts may lie between two.
    it.toFixed(digits === 0 && !Number.isInteger(it) ? 1 : digits),
  );
  return from === to ? String(from) : `${median} (${from}–${to})`;
}

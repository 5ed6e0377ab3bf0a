import { SCENARIOS } from '../lab.d/scenarios.mjs';
import { siteOf } from '../lab.d/sites.mjs';
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

/** @typedef {{ median: number, least: number, most: number }} Spread */

/**
 * What the runs of a row come to: a line of man/failover.json.
 *
 * @typedef {object} Figures
 * @property {string} scenario
 * @property {string} announced how the nodes announce
 * @property {string} timers those of SPF
 * @property {string} checker
 * @property {number | null} drainSeconds
 * @property {number} runs that were measured
 * @property {number} [failed] that were not
 * @property {Record<string, Spread | null>} lost queries of each stream
 * @property {Spread | null} inCircles
 * @property {Spread | null} [takenOverSeconds] null: another node never answered in one of the runs;
 *   none where both nodes answer all the time
 * @property {Spread | null} routeChanges
 */

/**
 * @param {readonly Run[]} runs in any order
 * @returns {Figures[]} in the order of the plan
 */
export function figuresOf(runs) {
  return byRow(runs).flatMap((its) => {
    const [first] = its;
    return first === undefined ? [] : [figuresOfRow(first.row, its)];
  });
}

/**
 * @param {Row} row
 * @param {readonly Run[]} runs of it
 * @returns {Figures}
 */
function figuresOfRow(row, runs) {
  const done = runs.flatMap(({ measured, routeChanges, circled }) =>
    measured === undefined ? [] : [{ measured, routeChanges, circled }],
  );
  const failed = runs.length - done.length;
  const times = done.flatMap(({ measured: { udp4, udp6 } }) => [udp4.otherMs, udp6.otherMs]);
  const isPlanned = row.scenario === 'planned' || row.scenario === 'restart';
  return {
    scenario: SCENARIOS[row.scenario]?.title ?? row.scenario,
    announced: announcedBy(row),
    timers: `${row.timers}${row.nodeTimers ? ', nodes too' : ''}`,
    checker: describeChecker(row),
    drainSeconds: isPlanned && row.method === 'probe' ? row.drainSeconds : null,
    runs: done.length,
    ...(failed === 0 ? {} : { failed }),
    lost: Object.fromEntries(
      STREAMS.map((stream) => [stream, spread(done.map(({ measured }) => measured[stream].lost))]),
    ),
    inCircles: spread(done.map(({ circled }) => (circled?.v4 ?? 0) + (circled?.v6 ?? 0))),
    ...((siteOf(row.protocol, row.nodes).layout ?? 'row') === 'row' && {
      takenOverSeconds: times.includes(null)
        ? null
        : spread(times.map((ms) => Math.round(Number(ms) / 10) / 100)),
    }),
    routeChanges: spread(done.map(({ routeChanges }) => routeChanges?.v4 ?? 0)),
  };
}

/**
 * What the nodes announce with, in words.
 *
 * @param {Row} row
 */
function announcedBy({ protocol, nodes }) {
  const name = { bird: 'BIRD', bfd: 'BFD', redistribute: '' }[nodes] ?? nodes;
  if (protocol === 'ospf' && nodes === 'network') return 'type 3';
  const spoken = { ospf: 'E2', bgp: 'BGP', isis: 'IS-IS' }[protocol];
  return [spoken, name].filter(Boolean).join(', ');
}

/**
 * @param {Figures} row
 * @returns {string}
 */
function takenOver({ takenOverSeconds }) {
  if (takenOverSeconds === undefined) return '';
  return takenOverSeconds === null ? 'never' : `${inWords(takenOverSeconds)} s`;
}

/**
 * @param {readonly Figures[]} rows
 * @returns {string} the table, in Markdown
 */
export function renderTable(rows) {
  const head = [
    ...['Scenario', 'Announced', 'Timers', 'Checker', 'Drain', 'Runs'],
    ...['UDP v4', 'UDP v6', 'TCP v4', 'TCP v6', 'In circles', 'Taken over after', 'Route changes'],
  ];
  const body = rows.map((row) => [
    ...[row.scenario, row.announced, row.timers, `\`${row.checker}\``],
    row.drainSeconds === null ? '' : `${row.drainSeconds} s`,
    `${row.runs}${row.failed === undefined ? '' : ` (${row.failed} failed)`}`,
    ...STREAMS.map((stream) => inWords(row.lost[stream] ?? null)),
    inWords(row.inCircles),
    takenOver(row),
    inWords(row.routeChanges),
  ]);
  return [head, head.map(() => '---'), ...body].map((line) => `| ${line.join(' | ')} |`).join('\n');
}

/** @param {Spread | null} spread */
function inWords(spread) {
  if (spread === null) return '-';
  const { median, least, most } = spread;
  return least === most ? String(median) : `${median} (${least}–${most})`;
}

/**
 * The rows of these runs, in the order of the plan.
 *
 * @param {readonly Run[]} runs in any order
 * @returns {Run[][]} the runs of each
 */
function byRow(runs) {
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
 * @returns {Spread | null}
 */
function spread(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  const [least, most] = [sorted[0], sorted.at(-1)];
  if (low === undefined || high === undefined || least === undefined || most === undefined) {
    return null;
  }
  return { median: Math.round(50 * (low + high)) / 100, least, most };
}

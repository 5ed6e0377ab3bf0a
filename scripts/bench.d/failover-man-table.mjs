import { byRow, doneOf, spread } from './failover-table.mjs';
import { describeChecker } from './failover-plan.mjs';

/** @typedef {import('./failover-table.mjs').Run} Run */

/** @type {Readonly<Record<string, string>>} */
const WORDS = {
  planned: 'suspended, resumed',
  restart: 'restart, suspended',
  killed: 'killed',
  frozen: 'frozen',
  servfail: 'SERVFAIL only',
  checker: 'checker dies first',
  node: 'node dies silently',
  link: 'link goes down',
  flapping: 'flapping 1 min',
};

/** @type {Readonly<Record<string, string>>} */
const ANNOUNCED = {
  redistribute: 'External routes',
  network: 'Inter-area routes',
  bird: 'External routes, BIRD on the nodes',
  bfd: 'External routes, BFD',
};

/** The usual options of dns-probe in the table, which need not be said in each line. */
const USUAL = 'dns-probe --fall 1 --attempts 1';
const COLUMNS = [41, 16];

/**
 * What anycast-ha-routing(7) has: a table for each kind of announcement and timers, narrow enough
 * for a page.
 *
 * @param {readonly Run[]} runs in any order
 */
export function renderManTable(runs) {
  /** @type {Map<string, string[]>} */
  const tables = new Map();
  for (const its of byRow(runs)) {
    const [first] = its;
    if (first === undefined) continue;
    const { nodes, timers, nodeTimers } = first.row;
    const title = `${ANNOUNCED[nodes]}, timers of ${timers}${nodeTimers ? ' on the nodes too' : ''}:`;
    tables.set(title, [...(tables.get(title) ?? []), line(first.row, its)]);
  }
  const head = columns('', 'UDP IPv4', 'UDP IPv6');
  const shown = [...tables].map(([title, lines]) => [
    title,
    '',
    ...[head, ...lines].map((text) => `    ${text}`.trimEnd()),
    '',
  ]);
  return shown.flat().join('\n').trimEnd();
}

/**
 * @param {Run['row']} row
 * @param {readonly Run[]} runs of it
 */
function line(row, runs) {
  const done = doneOf(runs);
  const checker = describeChecker(row)
    .replace(USUAL, 'dns-probe')
    .replace(/^dns-probe$/, row.probe.length === 0 ? 'dns-probe, by default' : 'dns-probe');
  const isDrained = row.scenario === 'planned' || row.scenario === 'restart';
  const drain = row.method === 'probe' && isDrained ? `, drain ${row.drainSeconds} s` : '';
  const what = `${WORDS[row.scenario] ?? row.scenario}: ${checker}${drain}`;
  const lost = /** @type {const} */ (['udp4', 'udp6']).map((stream) =>
    spread(done.map(({ measured }) => measured[stream].lost)).replace('–', '-'),
  );
  return columns(what, ...lost);
}

/** @param {readonly string[]} cells */
function columns(...cells) {
  return cells.map((cell, index) => cell.padEnd(COLUMNS[index] ?? 0)).join(' ');
}

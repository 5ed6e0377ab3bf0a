/**
 * One run of the matrix.
 *
 * @typedef {object} Run
 * @property {string} service
 * @property {string} speaker
 * @property {import('./play.mjs').Played} [played]
 * @property {string} [error]
 */

/** What a connection may take on a machine that is busy. */
const UNDER_WAY_MS = 50;

const STREAMS = ['udp v4', 'udp v6', 'tcp v4', 'tcp v6'];

/**
 * A line for each service and routing daemon, a column for each stream: lost while leaving +
 * returning, in each run, with a star where all of it were TCP connections that were under way when
 * the router changed its way, which no node can help; before it, in brackets, what was lost in the four seconds before.
 *
 * @param {readonly Run[]} runs
 */
export function renderMatrix(runs) {
  /** @type {Map<string, Run[]>} */
  const rows = new Map();
  for (const run of runs) {
    const key = `${run.service.padEnd(29)}${run.speaker.padEnd(7)}`;
    rows.set(key, [...(rows.get(key) ?? []), run]);
  }
  const head = [
    'service'.padEnd(29),
    'node'.padEnd(7),
    ...STREAMS.map((it) => it.padEnd(14)),
    'load',
  ];
  const lines = [...rows].map(([key, its]) => {
    const cells = STREAMS.map((stream) => its.map((run) => cell(run, stream)).join(' '));
    const loads = its.map(({ played }) => played?.load.toFixed(0) ?? '?').join(' ');
    return `${key}${cells.map((text) => text.padEnd(14)).join('')}${loads}`;
  });
  return [head.join(''), ...lines].join('\n');
}

/**
 * @param {Run} run
 * @param {string} stream
 */
function cell({ played }, stream) {
  const counts = played?.streams[stream];
  if (counts === undefined) return played === undefined ? '?' : '-';
  const { calm } = counts;
  const own = calm.lostAtMs.length === 0 ? '' : `(${calm.lostAtMs.length})`;
  const parts = /** @type {const} */ (['suspend', 'resume']).map((part) => {
    const { lostAtMs } = counts[part];
    const reroutesMs = played?.reroutesMs[part] ?? [];
    const crossed = (/** @type {number} */ ms) =>
      reroutesMs.some((changeMs) => ms <= changeMs && changeMs - ms < UNDER_WAY_MS);
    const isTorn = stream.startsWith('tcp') && lostAtMs.length > 0 && lostAtMs.every(crossed);
    return `${lostAtMs.length}${isTorn ? '*' : ''}`;
  });
  return `${own}${parts.join('+')}`;
}

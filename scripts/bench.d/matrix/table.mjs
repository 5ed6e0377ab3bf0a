/**
 * One run of the matrix.
 *
 * @typedef {object} Run
 * @property {string} service
 * @property {string} speaker
 * @property {import('./play.mjs').Played} [played]
 * @property {string} [error]
 */

const STREAMS = ['udp v4', 'udp v6', 'tcp v4', 'tcp v6'];

/**
 * A line for each service and routing daemon, a column for each stream: lost while leaving +
 * returning, in each run; before it, in brackets, what was lost in the four seconds before.
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
  const { calm, suspend, resume } = counts;
  const own = calm.lostAtMs.length === 0 ? '' : `(${calm.lostAtMs.length})`;
  return `${own}${suspend.lostAtMs.length}+${resume.lostAtMs.length}`;
}

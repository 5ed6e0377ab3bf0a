/** What a pass is to cost at most, as a ratio of CPU time to an empty program's. */

/** The rows of probes that ask one question, in the order of the table. */
const PASS = { node20: 1.4, later: 2, laterWithCache: 1.75 };
/** A pass that withdraws starts `ip` twice. */
const WITHDRAWAL = { node20: 2 };

/**
 * @param {string} version of Node, such as v20.19.0
 * @param {string} row
 * @returns {number | undefined} undefined: there is none
 */
export function targetOf(version, row) {
  const isOld = version.startsWith('v20.');
  if (row.startsWith('dns-probe that withdraws')) return isOld ? WITHDRAWAL.node20 : undefined;
  if (!/^[a-z-]+-probe(?:,|$)/.test(row) || /six targets/.test(row)) return undefined;
  if (isOld) return PASS.node20;
  return row.endsWith('with the cache') ? PASS.laterWithCache : PASS.later;
}

/** Many instances, or many addresses, as a ratio to one instance with one address. */
export const CROWD_TARGETS = { '100 instances': 3, 'one instance, 1,000 addresses': 2 };

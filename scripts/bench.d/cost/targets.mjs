/** What a pass that changes nothing is to cost at most, as a ratio of wall and of CPU time. */

/**
 * By name of a row: with Node 20, and with later ones, whose own start is so much quicker that
 * the same work is a larger part of it.
 *
 * @type {Readonly<Record<string, readonly [node20: number, later: number]>>}
 */
const PASS_TARGETS = {
  'dns-probe': [1.25, 1.4],
  'syslog-probe': [1.25, 1.4],
  'squid-probe': [1.25, 1.4],
  'tcp-route-probe': [1.25, 1.4],
  'radius-probe': [1.3, 1.5],
  'exec-probe': [1.2, 1.35],
  'ha-status': [1.2, 1.35],
};

/**
 * @param {string} version of Node, such as v20.19.0
 * @returns {Readonly<Record<string, number>>}
 */
export function passTargets(version) {
  const isOld = version.startsWith('v20.');
  return Object.fromEntries(
    Object.entries(PASS_TARGETS).map(([name, [node20, later]]) => [name, isOld ? node20 : later]),
  );
}

/** Many instances, or many addresses, as a ratio to one instance with one address. */
export const CROWD_TARGETS = { '100 instances': 3, 'one instance, 1,000 addresses': 2 };

/** What the memory of a single pass may be, as a ratio to an empty program's. */
export const PEAK_TARGET = 1.15;

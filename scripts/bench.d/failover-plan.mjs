/** @typedef {import('../lab.d/checker.mjs').Method} Method */

/**
 * One row of the table: a scenario in a lab that is set up like this.
 *
 * @typedef {object} Row
 * @property {string} nodes what the nodes run (see NODE_CONFIGURATIONS)
 * @property {string} timers one of TIMERS
 * @property {string} scenario
 * @property {Method} method
 * @property {readonly string[]} probe options of dns-probe
 * @property {number} drainSeconds
 */

/**
 * SPF timers in milliseconds: delay, hold time, longest hold time.
 *
 * @type {Readonly<Record<string, string>>}
 */
export const TIMERS = { FRR: '', Quagga: '200 1000 10000', Cisco: '5000 10000 10000' };

/** One failed question is enough; all else is as it is by default. */
const QUICK = ['--fall', '1', '--attempts', '1'];

const METHODS = /** @type {const} */ (['probe', 'loop', 'keepalived']);

/**
 * @param {Partial<Row> & { scenario: string }} row
 * @returns {Row}
 */
function row(row) {
  const usual = { nodes: 'redistribute', timers: 'FRR', method: /** @type {const} */ ('probe') };
  return { ...usual, probe: QUICK, drainSeconds: 5, ...row };
}

/** With FRR's own timers: every scenario. */
const scenarios = METHODS.flatMap((method) => [
  ...['planned', 'restart', 'killed', 'frozen', 'servfail'].map((scenario) =>
    row({ scenario, method }),
  ),
  row({ scenario: 'checker', method, probe: [...QUICK, '--lease', '10s'] }),
]);

const only = [
  row({ scenario: 'killed', probe: [] }),
  row({ scenario: 'node' }),
  row({ scenario: 'link' }),
  row({ scenario: 'flapping' }),
  row({ scenario: 'flapping', probe: [...QUICK, '--hold-down', '20s'] }),
  row({ scenario: 'flapping', method: 'loop' }),
];

/** With slower routers, and with the service address in an area of its own (type 3). */
const slower = [
  { nodes: 'redistribute', timers: 'Quagga', drainSeconds: 5 },
  { nodes: 'redistribute', timers: 'Cisco', drainSeconds: 5 },
  { nodes: 'network', timers: 'FRR', drainSeconds: 5 },
  { nodes: 'network', timers: 'Quagga', drainSeconds: 5 },
  { nodes: 'network', timers: 'Cisco', drainSeconds: 30 },
].flatMap((site) => [
  ...['planned', 'restart', 'killed'].map((scenario) => row({ ...site, scenario })),
  ...['planned', 'killed'].map((scenario) => row({ ...site, scenario, method: 'loop' })),
]);

const tooShort = [row({ nodes: 'network', timers: 'Cisco', scenario: 'planned', drainSeconds: 5 })];

const bird = ['planned', 'restart', 'killed'].map((scenario) => row({ nodes: 'bird', scenario }));

/** The whole table, such that rows of the same lab follow each other. */
export const PLAN = [...scenarios, ...only, ...slower, ...tooShort, ...bird];

/** @param {Row} row */
export function describeChecker({ method, probe }) {
  return method === 'probe' ? ['dns-probe', ...probe].join(' ') : method;
}

/**
 * What tells a row from all others.
 *
 * @param {Row} row
 */
export function describeRow(row) {
  const { nodes, timers, scenario, drainSeconds } = row;
  return `${scenario} | ${nodes} | ${timers} | ${describeChecker(row)} | drain ${drainSeconds}s`;
}

/**
 * What tells the lab of a row from that of others.
 *
 * @param {Row} row
 */
export function labOf({ nodes, timers, method, probe }) {
  return JSON.stringify([nodes, timers, method, probe]);
}

/** @typedef {import('../lab.d/checker.mjs').Method} Method */

/**
 * One row of the table: a scenario in a lab that is set up like this.
 *
 * @typedef {object} Row
 * @property {import('../lab.d/sites.mjs').Protocol} protocol what the network speaks
 * @property {string} nodes how nodes and routers are configured (see SITES)
 * @property {string} timers one of TIMERS
 * @property {boolean} nodeTimers whether the nodes have the routers' timers, in place of FRR's own
 * @property {string} scenario
 * @property {Method} method
 * @property {readonly string[]} probe options of dns-probe, or of exabgp's healthcheck
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
  return {
    protocol: 'ospf',
    nodes: 'redistribute',
    timers: 'FRR',
    nodeTimers: false,
    method: 'probe',
    probe: (row.method ?? 'probe') === 'probe' ? QUICK : [],
    drainSeconds: 10, // as by default
    ...row,
  };
}

/** With FRR's own timers: every scenario. */
const scenarios = METHODS.flatMap((method) => [
  ...['planned', 'restart', 'killed', 'frozen', 'servfail'].map((scenario) =>
    row({ scenario, method }),
  ),
  row({
    scenario: 'checker',
    method,
    ...(method === 'probe' && { probe: withQuick('--lease', '10s') }),
  }),
]);

/** What no checker has a part in, and dns-probe as it is by default. */
const only = [
  row({ scenario: 'killed', probe: [] }),
  row({ scenario: 'node' }),
  row({ scenario: 'link' }),
];

/** They last long and only count, so that they can be played side by side. */
const flapping = [
  row({ scenario: 'flapping' }),
  row({ scenario: 'flapping', probe: withQuick('--hold-down', '20s') }),
  row({ scenario: 'flapping', method: 'loop' }),
  row({ scenario: 'flapping', method: 'keepalived' }),
];

/** With slower routers, and with the service address in an area of its own (type 3). */
const slower = [
  { nodes: 'redistribute', timers: 'Quagga', drainSeconds: 10 },
  { nodes: 'redistribute', timers: 'Cisco', drainSeconds: 12 },
  { nodes: 'network', timers: 'FRR', drainSeconds: 10 },
  { nodes: 'network', timers: 'Quagga', drainSeconds: 10 },
  { nodes: 'network', timers: 'Cisco', drainSeconds: 30 },
].flatMap((site) => [
  ...['planned', 'restart', 'killed'].map((scenario) => row({ ...site, scenario })),
  ...['planned', 'killed'].map((scenario) => row({ ...site, scenario, method: 'loop' })),
]);

/** What goes wrong: a drain that is too short, and nodes that are as slow as their routers. */
const wrong = [
  row({ nodes: 'network', timers: 'Cisco', scenario: 'planned', drainSeconds: 5 }),
  ...['planned', 'restart'].map((scenario) =>
    row({ nodes: 'network', timers: 'Quagga', nodeTimers: true, scenario }),
  ),
];

const bird = ['planned', 'restart', 'killed'].map((scenario) => row({ nodes: 'bird', scenario }));

const bfd = [row({ nodes: 'bfd', scenario: 'node' })];

const LEASED = { probe: withQuick('--lease', '10s') };

/** exabgp's healthcheck: it withdraws, which it does not do unless it is told to. */
const WITHDRAWN = ['--withdraw-on-down'];
const EVERY_SECOND = [...WITHDRAWN, '--interval', '1', '--rise', '1', '--fall', '1'];
/** Longer than the way to the far node from anywhere. */
const LONG_PATH = Array.from({ length: 8 }, () => '65101').join(' ');

const exabgp = [
  { scenario: 'killed', probe: WITHDRAWN },
  { scenario: 'killed', probe: EVERY_SECOND },
  { scenario: 'frozen', probe: EVERY_SECOND },
  { scenario: 'planned', probe: EVERY_SECOND },
  { scenario: 'planned', probe: [...EVERY_SECOND.slice(1), '--disabled-as-path', LONG_PATH] },
  { scenario: 'checker', probe: EVERY_SECOND },
  { scenario: 'stopped', probe: EVERY_SECOND },
].map((its) => row({ protocol: 'bgp', nodes: 'exabgp', method: 'exabgp', ...its }));

const bgp = [
  ...['planned', 'restart', 'killed', 'frozen', 'node'].map((scenario) => ({ scenario })),
  ...['checker', 'stopped'].map((scenario) => ({ scenario, ...LEASED })),
  .../** @type {const} */ (['loop', 'keepalived']).flatMap((method) =>
    ['planned', 'killed', 'stopped'].map((scenario) => ({ scenario, method })),
  ),
  ...['multipath', 'one-router', 'bird'].flatMap((nodes) =>
    ['planned', 'killed'].map((scenario) => ({ scenario, nodes })),
  ),
  ...['unnumbered', 'reflector'].map((nodes) => ({ scenario: 'planned', nodes })),
  { scenario: 'node', nodes: 'bfd' },
].map((its) => row({ protocol: 'bgp', ...its }));

const isis = [
  ...['planned', 'restart', 'killed', 'node'].map((scenario) => ({ scenario })),
  ...['planned', 'killed'].map((scenario) => ({ scenario, method: /** @type {const} */ ('loop') })),
  { scenario: 'node', nodes: 'bfd' },
].map((its) => row({ protocol: 'isis', ...its }));

/** The whole table. */
export const PLAN = [
  ...[...scenarios, ...only, ...bfd, ...flapping, ...slower, ...wrong, ...bird],
  ...[...bgp, ...exabgp, ...isis],
];

/** @param {readonly string[]} more */
function withQuick(...more) {
  return [...QUICK, ...more];
}

/**
 * How often a row is played. How much a killed service costs depends on the phase of the checker
 * more than on anything else: a median takes more runs, at phases that are evenly spread.
 *
 * @param {Row} row
 * @param {number} runs of an ordinary row
 */
export function runsOf({ protocol, scenario, nodes, timers }, runs) {
  const isSpread =
    scenario === 'killed' && protocol === 'ospf' && nodes === 'redistribute' && timers === 'FRR';
  return isSpread ? Math.ceil(2.2 * runs) : runs;
}

/** @param {Row} row */
export function describeChecker({ method, probe }) {
  return [method === 'probe' ? 'dns-probe' : method, ...probe].join(' ');
}

/**
 * What tells a row from all others.
 *
 * @param {Row} row
 */
export function describeRow(row) {
  const { protocol, nodes, timers, nodeTimers, scenario, drainSeconds } = row;
  const site = `${protocol === 'ospf' ? '' : `${protocol} `}${nodes} | ${timers}${nodeTimers ? ', nodes too' : ''}`;
  return `${scenario} | ${site} | ${describeChecker(row)} | drain ${drainSeconds}s`;
}

/** @param {Row} row */
export function isFlapping({ scenario }) {
  return scenario === 'flapping';
}

/**
 * The rows that are played in one lab, one after the other: those of one kind of node and timers.
 * A flapping one is alone.
 *
 * @param {readonly Row[]} rows
 * @returns {Row[][]} what lasts longest first
 */
export function labsFor(rows) {
  /** @type {Map<string, Row[]>} */
  const labs = new Map();
  for (const row of rows) {
    const id = isFlapping(row) ? describeRow(row) : `${row.protocol} ${row.nodes} ${row.timers}`;
    labs.set(id, [...(labs.get(id) ?? []), row]);
  }
  return [...labs.values()].sort((one, other) => secondsOf(other) - secondsOf(one));
}

/** Seconds that a run takes, about. */
const SECONDS = { planned: 10, restart: 10, killed: 9, frozen: 10, servfail: 10, checker: 19 };

/**
 * How long one run of each of these rows takes, about.
 *
 * @param {readonly Row[]} rows
 */
function secondsOf(rows) {
  return rows
    .map((row) => {
      const { scenario, nodes, timers, drainSeconds } = row;
      const usual = SECONDS[/** @type {keyof typeof SECONDS} */ (scenario)] ?? 14;
      const slow = nodes === 'network' && timers === 'Cisco' ? 18 : 0;
      return (usual + slow + drainSeconds) * runsOf(row, 1);
    })
    .reduce((sum, seconds) => sum + seconds, 0);
}

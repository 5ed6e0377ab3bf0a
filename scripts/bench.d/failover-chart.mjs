/** @typedef {import('./failover-table.mjs').Figures} Figures */

/** Who checks the service, as the chart calls them, by the checker of a row. */
const CHECKERS = [
  { checker: 'dns-probe --fall 1 --attempts 1', name: 'dns-probe', colour: '#1a7f5a' },
  { checker: 'keepalived', name: 'keepalived', colour: '#b7791f' },
  { checker: 'loop', name: 'shell loop', colour: '#b83280' },
];

/** What is drawn, as far as every checker played it: titles of scenarios, and ours. */
const SCENARIOS = [
  ['node suspended and resumed', 'node taken out and put back'],
  ['Unbound restarted, suspended meanwhile', 'resolver restarted as planned'],
  ['Unbound killed', 'resolver killed'],
  ['Unbound frozen', 'resolver hangs'],
  ['Unbound answers SERVFAIL only', 'resolver answers SERVFAIL only'],
  ['checker killed with -9, then Unbound killed', 'checker killed, then resolver'],
];

const WIDTH = 760;
const LEFT = 230;
const RIGHT = 110;
const TOP = 56;
const BAR = 13;
const GAP = 14;
/** Lost queries at the right end; the axis is logarithmic, for 0 and 1,600 to be seen both. */
const MOST = 2000;
const TICKS = [0, 1, 10, 100, 1000];

/**
 * Draws how many queries a client loses: medians as bars, the least and the most as lines.
 *
 * @param {readonly Figures[]} rows
 * @returns {string} SVG
 */
export function renderChart(rows) {
  const height = TOP + SCENARIOS.length * (CHECKERS.length * BAR + GAP) + 28;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12" role="img">`,
    '<title>Queries that a client loses, by what happens and by who checks the service</title>',
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    '<text x="12" y="20" font-size="14" font-weight="bold" fill="#1a202c">Lost queries of a client that asks 100 times a second (UDP, IPv4)</text>',
    ...legend(),
    ...TICKS.map((tick) => grid(tick, height)),
  ];
  SCENARIOS.forEach(([scenario = '', title = ''], index) => {
    const top = TOP + index * (CHECKERS.length * BAR + GAP);
    const middle = top + (CHECKERS.length * BAR) / 2 + 4;
    parts.push(text(LEFT - 10, middle, title, 'end'));
    CHECKERS.forEach(({ checker, colour }, line) => {
      parts.push(...bar(lostIn(rows, scenario, checker), top + line * BAR, colour));
    });
  });
  return `${parts.join('\n')}\n</svg>\n`;
}

/**
 * @param {readonly Figures[]} rows
 * @param {string} scenario
 * @param {string} checker
 */
function lostIn(rows, scenario, checker) {
  const row = rows.find(
    (found) =>
      found.scenario === scenario &&
      found.announced === 'E2' &&
      found.timers === 'FRR' &&
      // The lease of a row is its own; what checks is the same.
      (found.checker === checker || found.checker.startsWith(`${checker} --lease`)),
  );
  const lost = row?.lost['udp4'];
  if (lost == null) throw new Error(`no figures of '${scenario}' with '${checker}'`);
  return lost;
}

function legend() {
  return CHECKERS.flatMap(({ name, colour }, index) => {
    const x = LEFT + index * 110;
    return [
      `<rect x="${x}" y="32" width="11" height="11" fill="${colour}"/>`,
      text(x + 16, 42, name, 'start'),
    ];
  });
}

/**
 * @param {number} tick
 * @param {number} height
 */
function grid(tick, height) {
  const x = at(tick);
  return (
    `<line x1="${x}" y1="${TOP - 4}" x2="${x}" y2="${height - 26}" stroke="#e2e8f0"/>` +
    text(x, height - 10, String(tick), 'middle')
  );
}

/**
 * @param {import('./failover-table.mjs').Spread} lost
 * @param {number} y
 * @param {string} colour
 */
function bar({ median, least, most }, y, colour) {
  const middle = y + BAR / 2;
  return [
    `<rect x="${LEFT}" y="${y + 1}" width="${Math.max(1, at(median) - LEFT)}" height="${BAR - 3}" fill="${colour}"/>`,
    `<line x1="${at(least)}" y1="${middle}" x2="${at(most)}" y2="${middle}" stroke="#1a202c"/>`,
    text(Math.max(at(most), at(median)) + 6, y + BAR - 3, String(median), 'start'),
  ];
}

/** @param {number} lost */
function at(lost) {
  const share = Math.log10(1 + lost) / Math.log10(1 + MOST);
  return Math.round(LEFT + share * (WIDTH - LEFT - RIGHT));
}

/**
 * @param {number} x
 * @param {number} y
 * @param {string} content
 * @param {'start' | 'middle' | 'end'} anchor
 */
function text(x, y, content, anchor) {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="#2d3748">${content}</text>`;
}

/**
 * Marks in an executable: where the time of a run goes. A profiler that samples would see its own
 * cost more than ours, for most of a start is single calls; so the built text gets marks at the
 * places where something new begins, each of which notes the processor time, the clock, the page
 * faults and the modules of Node that there are by then.
 */

/** @param {string} name */
const startOf = (name) => new RegExp(`^ *(?:async )?function ${name}\\(.*\\{$`, 'm');

/**
 * What begins where, in the order of a pass: a part and the lines after which it has begun. Not
 * every executable has them all.
 *
 * @type {readonly (readonly [part: string, place: RegExp])[]}
 */
const PLACES = [
  ['code kept from the last start: looking for it', startOf('boot')],
  ['code kept from the last start: reading it', /^ *const readCache = .*\{$/m],
  ['the program: its text', /^ *const textOf = .*\{$/m],
  // Among the properties of an object: after its text, before it is compiled.
  ['the program: compiling, or taking the kept code', /^ *filename: process\.argv\[1\],$/m],
  ['the program: tables and first modules', /^"main"\(\) \{\/\*.*$/m],
  ['command line', startOf('main')],
  ['options', startOf('loadAll')],
  ['configuration file', startOf('configurationSource')],
  ['options', startOf('loadInstance')],
  ['leases of routes', startOf('sweep')],
  ['signals', startOf('listenForSignals')],
  ['folder and lock', startOf('openSession')],
  ['room for the new state', startOf('openStateWriter')],
  ['state: reading', startOf('readState')],
  ['claims', startOf('takeOwnership')],
  ['probe: preparing', startOf('probeWithAttempts')],
  ['probe: question and answer', startOf('askOverUdp')],
  ['probe: question and answer', startOf('askOverTcp')],
  ['probe: judging', startOf('judge(?:Reply|Answer)?')],
  ['kernel, suspensions, decision', startOf('examine')],
  ['state: writing', startOf('remember')],
  ['instances: looking', startOf('haStatus')],
  ['showing', startOf('renderStatus')],
  ['report', startOf('conclude')],
];

/** What follows the last line of the program. */
const END = 'end: exit handlers';

/**
 * In the process that is looked at: notes what is used so far, and hands it on at its end.
 *
 * @param {string} file where a line is appended to
 * @param {string} end what to call what comes after the program
 */
function recorder(file, end) {
  const { hrtime, resourceUsage } = process;
  /** @type {string[]} */
  const moduleLoadList = Reflect.get(process, 'moduleLoadList');
  const load = process.getBuiltinModule;
  const fs = load('node:fs');
  /** @type {[string, number, number, number, number][]} */
  const marks = [];
  let current = '';
  /** @param {string} part */
  const mark = (part) => {
    const used = resourceUsage.call(process);
    const [seconds, nanoseconds] = hrtime();
    current = part;
    marks.push([
      part,
      used.userCPUTime + used.systemCPUTime,
      seconds * 1e6 + nanoseconds / 1e3,
      used.minorPageFault,
      moduleLoadList.length,
    ]);
  };
  mark('node');
  mark('begin');
  process.getBuiltinModule = (/** @type {string} */ id) => {
    const [before, loaded] = [current, moduleLoadList.length];
    mark(`module ${id.replace('node:', '')}`);
    const found = load(id);
    if (moduleLoadList.length === loaded) {
      marks.pop();
      current = before;
    } else mark(before);
    return found;
  };
  process.on('exit', () => {
    mark(end);
    fs.appendFileSync(file, `${JSON.stringify({ marks, modules: moduleLoadList })}\n`);
  });
  return mark;
}

/**
 * @param {string} text of an executable, or of an empty program
 * @param {string} file that each run appends a line to
 * @returns {string} the same program with marks
 * @throws Error when it has hardly a place that marks are for: the list above is out of date
 */
export function withMarks(text, file) {
  const places = PLACES.filter(([, place]) => place.test(text));
  if (text !== '' && places.length < 8) throw new Error('marks.mjs does not know this program');
  const start = `globalThis.MARK = (${recorder.toString()})(${JSON.stringify(file)}, '${END}');\n`;
  const head = /^(#!.*\n)?('use strict';\n)?/.exec(text)?.[0] ?? '';
  return places.reduce(
    (marked, [part, place]) =>
      marked.replace(place, (line) =>
        line.endsWith(',') ? `${line}\nmark: MARK('${part}'),` : `${line}\nMARK('${part}');`,
      ),
    head + start + text.slice(head.length),
  );
}

import { spawnSync } from 'node:child_process';
import path from 'node:path';

/**
 * What runs of a command took: medians. `wallRatio`, `cpuRatio` and `peakRatio` are medians of the
 * ratios to the first command's run of the same round, so that what disturbs both disturbs none.
 *
 * @typedef {object} Cost
 * @property {number} wallMs
 * @property {number} cpuMs user and system, children included
 * @property {number} peakMb
 * @property {number} wallRatio
 * @property {number} cpuRatio
 * @property {readonly number[]} cpuRatioRange its quartiles
 * @property {number} peakRatio
 */

/**
 * One run of a command. startMs: on the clock of process.hrtime().
 *
 * @typedef {Readonly<Record<'startMs' | 'wallMs' | 'cpuMs' | 'peakMb', number>>} Run
 */

/**
 * Runs commands in turn, after once for warming up that is not counted.
 *
 * @param {number} rounds
 * @param {readonly (readonly string[])[]} commands
 * @returns {Run[][]} the runs of each command
 * @throws Error when a run fails
 */
export function runInTurn(rounds, commands) {
  const measurer = path.join(import.meta.dirname, 'measure.pl');
  const args = [measurer, String(rounds), ...commands.flatMap((command) => [':::', ...command])];
  const { status, stdout, stderr } = spawnSync('perl', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  /** @type {Run[][]} */
  const runs = commands.map(() => []);
  for (const line of stdout.trim().split('\n')) {
    const [, index = 0, start = 0, wall = 0, cpu = 0, peak = 0, exitStatus] = line
      .split(' ')
      .map(Number);
    if (exitStatus !== expectedExit(commands[index] ?? [])) {
      throw new Error(
        `${String(commands[index]?.join(' '))}: exit ${String(exitStatus)}\n${stderr}`,
      );
    }
    runs[index]?.push({
      startMs: start / 1000,
      wallMs: wall / 1000,
      cpuMs: cpu / 1000,
      peakMb: peak / 1024,
    });
  }
  return runs;
}

/**
 * Runs commands in turn, and makes medians of it.
 *
 * @param {number} rounds
 * @param {readonly (readonly string[])[]} commands the first is the yardstick
 * @param {number} [starter] which of them does nothing but start the last one, whose own wall and
 *   CPU time in the same round is then not counted as its
 * @returns {Cost[]} one per command
 * @throws Error when a run fails
 */
export function measure(rounds, commands, starter = -1) {
  const runs = runInTurn(rounds, commands);
  const [yardstick = []] = runs;
  const started = runs.at(-1) ?? [];
  return runs.map((all, index) => {
    const own = index !== starter ? all : all.map((run, round) => less(run, started[round] ?? run));
    /** @param {keyof Run} what */
    const middle = (what) => median(own.map((run) => run[what]));
    /** @param {keyof Run} what */
    const ratios = (what) => own.map((run, round) => run[what] / (yardstick[round]?.[what] ?? NaN));
    return {
      wallMs: middle('wallMs'),
      cpuMs: middle('cpuMs'),
      peakMb: middle('peakMb'),
      wallRatio: median(ratios('wallMs')),
      cpuRatio: median(ratios('cpuMs')),
      cpuRatioRange: [quantile(ratios('cpuMs'), 0.25), quantile(ratios('cpuMs'), 0.75)],
      peakRatio: median(ratios('peakMb')),
    };
  });
}

/**
 * @param {Run} run
 * @param {Run} part
 * @returns {Run}
 */
function less(run, part) {
  return { ...run, wallMs: run.wallMs - part.wallMs, cpuMs: run.cpuMs - part.cpuMs };
}

/**
 * @param {readonly string[]} command for measure.pl
 * @returns {number} what it has to exit with
 */
function expectedExit(command) {
  return Number(command.map((word) => /^exit:(\d+)$/.exec(word)?.[1]).find(Boolean) ?? 0);
}

/** @param {readonly number[]} values */
export function median(values) {
  return quantile(values, 0.5);
}

/**
 * @param {readonly number[]} values
 * @param {number} share of the values that lies below
 */
function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * share)] ?? NaN;
}

/**
 * How many processes a command starts, itself included; threads are none.
 *
 * @param {readonly string[]} command
 */
export function countProcesses(command) {
  const trace = ['-f', '-qq', '-e', 'signal=none', '-e', 'trace=clone,clone3,fork,vfork'];
  const program = inNamespace(command);
  const { stderr } = spawnSync('strace', [...trace, ...program], { encoding: 'utf8' });
  const starts = stderr.split('\n').filter((line) => /(?:clone3?|v?fork)\(/.test(line));
  return 1 + starts.filter((line) => !line.includes('CLONE_THREAD')).length;
}

/**
 * @param {readonly string[]} command for measure.pl
 * @returns {readonly string[]} one that any program can run
 */
export function inNamespace(command) {
  const rest = command.filter((word) => !/^(?:netns|env|exit):/.test(word));
  const variables = command.flatMap((word) => /^env:(.*)/s.exec(word)?.[1] ?? []);
  const name = command.map((word) => /^netns:(.*)/.exec(word)?.[1]).find(Boolean);
  const plain = variables.length === 0 ? rest : ['env', ...variables, ...rest];
  return name === undefined ? plain : ['ip', 'netns', 'exec', name, ...plain];
}

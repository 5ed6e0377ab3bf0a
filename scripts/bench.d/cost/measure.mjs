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
 * @property {number} peakRatio
 */

/** Above whatever else runs: what is measured is the program, not its wait for a processor. */
const NICE = ['nice', '-n', '-20'];

/**
 * Runs commands in turn.
 *
 * @param {number} rounds
 * @param {readonly (readonly string[])[]} commands the first is the yardstick
 * @returns {Cost[]} one per command
 * @throws Error when a run fails
 */
export function measure(rounds, commands) {
  const measurer = path.join(import.meta.dirname, 'measure.pl');
  const args = [...NICE, 'perl', measurer, String(rounds)];
  const [program = '', ...rest] = [...args, ...commands.flatMap((command) => [':::', ...command])];
  const { status, stdout, stderr } = spawnSync(program, rest, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  /** @type {number[][][]} */
  const runs = commands.map(() => []);
  for (const line of stdout.trim().split('\n')) {
    const [, index = 0, wall = 0, cpu = 0, peak = 0, exitStatus] = line.split(' ').map(Number);
    if (exitStatus !== 0) {
      throw new Error(
        `${String(commands[index]?.join(' '))}: exit ${String(exitStatus)}\n${stderr}`,
      );
    }
    runs[index]?.push([wall, cpu, peak]);
  }
  return runs.map((ofCommand) => {
    /** @param {number} what */
    const middle = (what) => median(ofCommand.map((run) => run[what] ?? NaN));
    /** @param {number} what */
    const ratio = (what) =>
      median(ofCommand.map((run, round) => (run[what] ?? NaN) / (runs[0]?.[round]?.[what] ?? NaN)));
    return {
      wallMs: middle(0) / 1000,
      cpuMs: middle(1) / 1000,
      peakMb: middle(2) / 1024,
      wallRatio: ratio(0),
      cpuRatio: ratio(1),
      peakRatio: ratio(2),
    };
  });
}

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

/**
 * How many processes a command starts, itself included; threads are none.
 *
 * @param {readonly string[]} command
 */
export function countProcesses(command) {
  const trace = ['-f', '-qq', '-e', 'signal=none', '-e', 'trace=clone,clone3,fork,vfork'];
  const { stderr } = spawnSync('strace', [...trace, ...command], { encoding: 'utf8' });
  const starts = stderr.split('\n').filter((line) => /(?:clone3?|v?fork)\(/.test(line));
  return 1 + starts.filter((line) => !line.includes('CLONE_THREAD')).length;
}

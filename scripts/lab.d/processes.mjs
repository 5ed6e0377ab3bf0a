import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * How a program ended, and what it said.
 *
 * @typedef {{ code: number | null, stdout: string, stderr: string }} Finished
 */

/**
 * Runs a program to its end, without a shell.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @param {number} [timeoutMs] it is killed after this time
 * @returns {Promise<Finished>} also when it fails
 */
export async function run(program, args, timeoutMs = 30_000) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (/** @type {string} */ text) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (/** @type {string} */ text) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code, stdout, stderr });
    });
  });
}

/**
 * The same for a program that must not fail.
 *
 * @param {string} program
 * @param {readonly string[]} args
 * @returns {Promise<string>} its stdout
 * @throws {Error} with what it said, when it fails
 */
export async function mustRun(program, args) {
  const { code, stdout, stderr } = await run(program, args);
  if (code !== 0) {
    throw new Error(
      `${program} ${args.join(' ')}: exit ${code}: ${stderr.trim()} ${stdout.trim()}`,
    );
  }
  return stdout;
}

/**
 * The parts of a lab stand for machines of their own: other work on this one should not slow them
 * down more than need be. (No real-time priority: it can stall the kernel's network namespaces.)
 */
export const FIRST = ['nice', '-n', '-10'];

/**
 * Starts a program that outlives this one, in a process group of its own.
 *
 * @param {string} logFile gets what it says
 * @param {string} program
 * @param {readonly string[]} args
 * @returns {number} its pid
 * @throws {Error} when it does not start
 */
export function startDetached(logFile, program, args) {
  mkdirSync(path.dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a');
  const [command = '', ...before] = FIRST;
  const line = [...before, program, ...args];
  const child = spawn(command, line, { stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  child.on('error', () => {
    // The pid is missing then, which is what tells.
  });
  child.unref();
  if (child.pid === undefined) throw new Error(`${program} does not start`);
  return child.pid;
}

/**
 * Signals a process, or a group by its negative pid. One that is gone is no error.
 *
 * @param {number} pid
 * @param {NodeJS.Signals} signal
 */
export function signalProcess(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/**
 * Whether a process runs; a zombie does not.
 *
 * @param {number} pid
 */
export function isRunning(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z';
  } catch {
    return false;
  }
}

/**
 * Polls until something holds.
 *
 * @param {string} what for the message when it never does
 * @param {() => boolean | Promise<boolean>} check a throw counts as "not yet"
 * @param {{ timeoutMs?: number, everyMs?: number }} [limits]
 * @throws {Error} after the time limit
 */
export async function until(what, check, { timeoutMs = 30_000, everyMs = 100 } = {}) {
  const end = performance.now() + timeoutMs;
  let last = '';
  for (;;) {
    try {
      if (await check()) return;
      last = '';
    } catch (error) {
      last = `: ${String(error)}`;
    }
    if (performance.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms${last}`);
    await sleep(everyMs);
  }
}

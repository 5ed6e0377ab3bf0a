import { spawn } from 'node:child_process';
import path from 'node:path';
import { FIRST, until } from '../../lab.d/processes.mjs';
import { SERVICE } from './network.mjs';

/**
 * What became of the questions of one stream that were asked in one part of a run.
 *
 * @typedef {object} Count
 * @property {number} asked
 * @property {readonly number[]} lostAtMs when those were asked that nobody answered, in ms since the
 *   part began
 *
 * @typedef {Record<string, [sentMs: number, by: string | null][]>} Told what a client tells at its end
 */

/**
 * Starts the client of a network.
 *
 * @param {import('./network.mjs').Network} network
 * @param {import('./services.mjs').Service} service
 * @param {number} everyMs between two questions of a stream
 * @returns {{ ready: Promise<void>, end: () => Promise<Told> }} `ready` when each stream had an answer
 */
export function startClient(network, { protocol, port, transports }, everyMs) {
  const streams = transports.flatMap((it) => [`${it},${SERVICE.v4}`, `${it},${SERVICE.v6}`]);
  const script = path.join(import.meta.dirname, 'client.mjs');
  const child = spawn(
    'ip',
    [
      ...['netns', 'exec', network.namespaceOf('client'), ...FIRST, process.execPath],
      ...[script, protocol, `${port}`, `${everyMs}`, ...streams],
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (/** @type {string} */ text) => (output += text));
  const closed = new Promise((resolve) => child.once('close', resolve));
  const end = async () => {
    child.stdin.end();
    await closed;
    return /** @type {Told} */ (JSON.parse(output.replace('ready\n', '')));
  };
  const ready = async () => {
    try {
      await until('each stream has an answer', () => output.startsWith('ready\n'));
    } catch (error) {
      throw new Error(`${String(error)}: nobody answers ${silent(await end())}`, { cause: error });
    }
  };
  return { ready: ready(), end };
}

/** @param {Told} told */
function silent(told) {
  const streams = Object.entries(told).filter(([, asked]) => asked.every(([, by]) => by === null));
  return streams.map(([stream]) => stream).join(' and ');
}

/**
 * @param {Told[string]} questions
 * @param {number} fromMs
 * @param {number} toMs
 * @returns {Count}
 */
export function countOf(questions, fromMs, toMs) {
  const its = questions.filter(([sentMs]) => sentMs >= fromMs && sentMs < toMs);
  const lost = its.filter(([, by]) => by === null);
  return { asked: its.length, lostAtMs: lost.map(([sentMs]) => Math.round(sentMs - fromMs)) };
}

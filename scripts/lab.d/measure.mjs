import { spawn } from 'node:child_process';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FIRST } from './processes.mjs';
import { namespaceOf } from './topology.mjs';

/** @typedef {import('./lab.mjs').Lab} Lab */
/** @typedef {import('./client.mjs').Stretch} Stretch */

export const STREAMS = /** @type {const} */ (['udp4', 'udp6', 'tcp4', 'tcp6']);

/**
 * What the client saw of one kind of question.
 *
 * @typedef {object} Seen
 * @property {number} asked from shortly before the fault on
 * @property {number} lost of these, not answered or answered with an error
 * @property {number | null} otherMs from the fault to the first answer by the far node
 * @property {Record<string, number>} by answers per node
 * @property {[number, number][]} lostMs when lost ones were asked: from and to, after the fault
 */

/** @typedef {Record<typeof STREAMS[number], Seen>} Measured */

/** Questions that were asked this long before the fault may fall victim to it. */
const BEFORE_FAULT_MS = 200;

/**
 * Has the client ask while something is done to the lab.
 *
 * @param {Lab} lab
 * @param {(fault: () => void) => Promise<void>} play calls `fault` when it breaks something
 * @returns {Promise<Measured>}
 * @throws {Error} when the client does not report, or nothing was answered before
 */
export async function measure(lab, play) {
  const { v4, v6 } = lab.service;
  const [command = '', ...before] = FIRST;
  const child = spawn(
    command,
    [
      ...[...before, 'ip', 'netns', 'exec', namespaceOf(lab.name, 'client'), process.execPath],
      ...[path.join(import.meta.dirname, 'client.mjs'), v4, v6, '10', '100'],
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (/** @type {string} */ text) => (said += text));
  const ended = new Promise((resolve) => child.once('close', resolve));
  let faultMs = 0;
  try {
    while (!said.includes('asking\n')) await sleep(20);
    await sleep(1000);
    await play(() => {
      faultMs = performance.timeOrigin + performance.now();
    });
  } finally {
    child.stdin.end();
    await ended;
  }
  const report = said.trim().split('\n').at(-1) ?? '';
  const told = /** @type {Record<string, Stretch[]>} */ (JSON.parse(report));
  return /** @type {Measured} */ (
    Object.fromEntries(STREAMS.map((name) => [name, seen(told[name] ?? [], faultMs)]))
  );
}

/**
 * @param {readonly Stretch[]} stretches
 * @param {number} faultMs
 * @returns {Seen}
 */
function seen(stretches, faultMs) {
  if (!stretches.some(({ by, firstSentMs }) => by === 'near' && firstSentMs < faultMs)) {
    throw new Error(`no answer by the near node before: ${JSON.stringify(stretches)}`);
  }
  const counted = stretches.filter(({ lastSentMs }) => lastSentMs >= faultMs - BEFORE_FAULT_MS);
  /** @type {Record<string, number>} */
  const by = {};
  for (const stretch of counted) by[stretch.by] = (by[stretch.by] ?? 0) + stretch.count;
  const other = counted.find((stretch) => stretch.by === 'far');
  const failed = counted.filter((stretch) => stretch.by === 'nobody' || stretch.by === 'error');
  return {
    lostMs: failed.map(({ firstSentMs, lastSentMs }) => [
      Math.round(firstSentMs - faultMs),
      Math.round(lastSentMs - faultMs),
    ]),
    asked: counted.reduce((sum, { count }) => sum + count, 0),
    lost: (by['nobody'] ?? 0) + (by['error'] ?? 0),
    otherMs: other === undefined ? null : Math.round(other.firstAnsweredMs - faultMs),
    by,
  };
}

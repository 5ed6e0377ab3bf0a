import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { run } from './processes.mjs';
import { namespaceOf, SERVICE } from './topology.mjs';

/** @typedef {import('./lab.mjs').Lab} Lab */
/** @typedef {import('./topology.mjs').NodeRole} NodeRole */

const PREFIXES = { v4: `${SERVICE.v4}/32`, v6: `${SERVICE.v6}/128` };

/** What the kernel leaves of an IPv6 address on lo in the main table. */
const LEFTOVER = `${PREFIXES.v6} dev lo proto kernel metric 256`;

/** What has a node answer at an address that it does not have. */
const ANSWER = 'dev lo table local proto 120 metric 1';

/**
 * Gives a node the service addresses by hand, for a lab in which nothing checks the service.
 *
 * @param {Lab} lab
 * @param {NodeRole} role
 */
export async function advertise(lab, role) {
  const both = Object.values(PREFIXES);
  await batch(lab, role, [
    ...both.map((prefix) => `addr del ${prefix} dev ha-drain`),
    ...both.map((prefix) => `route del local ${prefix} ${ANSWER}`),
    ...both.map((prefix) => `addr add ${prefix} dev lo`),
  ]);
}

/**
 * Withdraws the service addresses of a node by hand as ha-suspend(8) does: in one batch they move
 * from lo to the interface ha-drain, where the kernel ends them after half of the drain. In the other
 * half the node answers without them.
 *
 * @param {Lab} lab
 * @param {NodeRole} role
 * @param {number} halfSeconds
 */
export async function moveToDrain(lab, role, halfSeconds) {
  await makeDrainInterface(lab, role);
  const life = `valid_lft ${halfSeconds} preferred_lft`;
  await batch(lab, role, [
    `route add local ${PREFIXES.v4} ${ANSWER}`,
    `addr del ${PREFIXES.v4} dev lo`,
    `addr add ${PREFIXES.v4} dev ha-drain ${life} ${halfSeconds}`,
    `route add local ${PREFIXES.v6} ${ANSWER}`,
    `addr del ${PREFIXES.v6} dev lo`,
    `route del ${LEFTOVER}`,
    `addr add ${PREFIXES.v6} dev ha-drain ${life} 0 nodad`,
  ]);
}

/**
 * Ends the drain: from now on the node answers no more.
 *
 * @param {Lab} lab
 * @param {NodeRole} role
 */
export async function endDrain(lab, role) {
  await batch(
    lab,
    role,
    Object.values(PREFIXES).map((prefix) => `route del local ${prefix} ${ANSWER}`),
  );
}

/**
 * The kernel may have no dummy interfaces: a pair with nobody at its other end does as well.
 *
 * @param {Lab} lab
 * @param {NodeRole} role
 */
async function makeDrainInterface(lab, role) {
  const ip = (/** @type {string} */ line) =>
    run('ip', ['-n', namespaceOf(lab.name, role), ...line.split(' ')]);
  if ((await ip('link show ha-drain')).code === 0) return;
  await ip('link add ha-drain type veth peer name ha-drain-p');
  for (const device of ['ha-drain', 'ha-drain-p']) {
    await ip(`link set ${device} addrgenmode none up`);
  }
}

/**
 * Lines of ip(8) of which some find nothing to do.
 *
 * @param {Lab} lab
 * @param {NodeRole} role
 * @param {readonly string[]} lines
 */
async function batch(lab, role, lines) {
  const file = path.join(lab.folder, `${role}.batch`);
  writeFileSync(file, `${lines.join('\n')}\n`);
  await run('ip', ['-n', namespaceOf(lab.name, role), '-force', '-batch', file]);
}

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { run } from './processes.mjs';
import { namespaceOf, SERVICE } from './topology.mjs';

/** @typedef {import('./lab.mjs').Lab} Lab */
/** @typedef {import('./topology.mjs').NodeRole} NodeRole */

const PREFIXES = { v4: `${SERVICE.v4}/32`, v6: `${SERVICE.v6}/128` };

/** What the kernel leaves of an IPv6 address on lo in the main table. */
const LEFTOVER = `route del ${PREFIXES.v6} dev lo proto kernel metric 256`;

/**
 * Gives a node the service addresses by hand, for a lab in which nothing checks the service.
 *
 * @param {Lab} lab
 * @param {NodeRole} role
 */
export async function advertise(lab, role) {
  await batch(lab, role, [
    ...Object.values(PREFIXES).flatMap((prefix) => [
      `addr del ${prefix} dev ha-drain`,
      `addr add ${prefix} dev lo`,
    ]),
  ]);
}

/**
 * Moves the service addresses of a node from lo to the interface ha-drain, for as long as the kernel
 * is told, by hand and in one batch: the first half of a planned withdrawal.
 *
 * @param {Lab} lab
 * @param {NodeRole} role
 * @param {number} seconds after which the addresses are gone
 */
export async function moveToDrain(lab, role, seconds) {
  await makeDrainInterface(lab, role);
  const life = `valid_lft ${seconds} preferred_lft`;
  await batch(lab, role, [
    `addr del ${PREFIXES.v4} dev lo`,
    `addr add ${PREFIXES.v4} dev ha-drain ${life} ${seconds}`,
    `addr del ${PREFIXES.v6} dev lo`,
    LEFTOVER,
    `addr add ${PREFIXES.v6} dev ha-drain ${life} 0 nodad`,
  ]);
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

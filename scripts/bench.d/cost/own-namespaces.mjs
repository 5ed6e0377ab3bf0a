import { spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';

/** Where a benchmark says to itself that it has been started anew, and from which network. */
const INSIDE = 'BENCH_INSIDE_OF';

/**
 * Starts the program that runs anew, with the same arguments, in namespaces that end with it: what
 * it does to network, mounts and processes stays in there.
 *
 * @returns {boolean} whether this is the program that was started anew; else it has ended
 * @throws Error when that is not in a network of its own
 */
export function isInOwnNamespaces() {
  const network = readlinkSync('/proc/self/ns/net');
  const outside = process.env[INSIDE];
  if (outside === undefined) {
    const namespaces = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const { status } = spawnSync('unshare', [...namespaces, ...process.argv], {
      stdio: 'inherit',
      env: { ...process.env, [INSIDE]: network },
    });
    process.exitCode = status ?? 1;
    return false;
  }
  if (outside === network) throw new Error('this is no network namespace of its own');
  return true;
}

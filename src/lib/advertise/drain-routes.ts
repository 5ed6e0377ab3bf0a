import * as v from 'valibot';
import type { RunCommand } from '../system/command.ts';
import { sleep } from '../system/clock.ts';
import { KernelError } from '../system/errors.ts';
import { parseJson } from './kernel-addresses.ts';

/**
 * The local route that keeps the node answering on an address which is no longer on any interface
 * (AnyIP), while packets for it are still on their way. Routing daemons do not announce the local
 * table. Protocol and metric of its own are always named: without them a delete may take the
 * kernel's own local route instead, and leave an address that is announced and does not answer.
 */
export const DRAIN_PROTOCOL = 120;
const SELECTOR = `dev lo table local proto ${DRAIN_PROTOCOL} metric 1`;

export function addDrainRoute(address: string): string {
  return `route replace local ${address} ${SELECTOR}`;
}

export function deleteDrainRoute(address: string): string {
  return `route del local ${address} ${SELECTOR}`;
}

const Routes = v.array(v.object({ dst: v.string() }));

/** The addresses with a drain route. Throws KernelError. */
export async function readDrainRoutes(run: RunCommand): Promise<ReadonlySet<string>> {
  const families = await Promise.all(
    ['-4', '-6'].map((family) => readLocalTable(run, family, String(DRAIN_PROTOCOL))),
  );
  return new Set(families.flat());
}

const POLL_MS = 20;
const LIMIT_MS = 2000;

/**
 * Waits until the kernel has its own local routes for IPv6 addresses that were just added: it
 * makes them in a work queue, after `ip` is told that the address is there (seen up to some
 * milliseconds later, on a busy machine).
 *
 * @returns those of the addresses that have one; not all where the kernel takes too long
 * @throws KernelError when the table cannot be read
 */
export async function awaitOwnRoutes(
  run: RunCommand,
  addresses: readonly string[],
): Promise<ReadonlySet<string>> {
  if (addresses.length === 0) return new Set();
  const began = performance.now();
  for (;;) {
    const own = new Set(await readLocalTable(run, '-6', 'kernel'));
    const isOver = performance.now() - began > LIMIT_MS;
    if (isOver || addresses.every((address) => own.has(address))) return own;
    await sleep(POLL_MS);
  }
}

async function readLocalTable(
  run: RunCommand,
  family: string,
  protocol: string,
): Promise<readonly string[]> {
  const args = ['-json', family, 'route', 'show', 'table', 'local', 'proto', protocol];
  const result = await run('ip', args, { timeoutMs: 5000 });
  const routes = v.safeParse(Routes, parseJson(result.stdout));
  if (result.exitCode !== 0 || !routes.success) {
    throw new KernelError(`cannot read routes: ${result.failure ?? result.stderr.trim()}`);
  }
  return routes.output.map(({ dst }) => dst);
}

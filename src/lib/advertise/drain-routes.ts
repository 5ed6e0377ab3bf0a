import * as v from 'valibot';
import type { RunCommand } from '../system/command.ts';
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
    ['-4', '-6'].map(async (family) => {
      const args = ['-json', family, 'route', 'show', 'table', 'local', 'proto', '120'];
      const result = await run('ip', args, { timeoutMs: 5000 });
      const routes = v.safeParse(Routes, parseJson(result.stdout));
      if (result.exitCode !== 0 || !routes.success) {
        throw new KernelError(`cannot read routes: ${result.failure ?? result.stderr.trim()}`);
      }
      return routes.output.map(({ dst }) => dst);
    }),
  );
  return new Set(families.flat());
}

import type { RunCommand } from './command.ts';
import { SystemdError } from './errors.ts';

/** What systemd knows of a unit, by the names of its properties; some have several values. */
export type UnitProperties = ReadonlyMap<string, readonly string[]>;

const TIMEOUT_MS = 20_000;

/**
 * Asks systemd about units, with one process for all.
 *
 * @returns in the order of the names
 * @throws SystemdError
 */
export async function readUnits(
  run: RunCommand,
  names: readonly string[],
  properties: readonly string[],
): Promise<readonly UnitProperties[]> {
  if (names.length === 0) return [];
  const wanted = `--property=${properties.join(',')}`;
  const stdout = await systemctl(run, 'show', '--all', '--no-pager', wanted, '--', ...names);
  const blocks = stdout.split('\n\n').map(unitProperties);
  if (blocks.length !== names.length)
    throw new SystemdError('systemctl show printed something else');
  return blocks;
}

/** What `systemctl show` prints of one unit. Pure. */
export function unitProperties(block: string): UnitProperties {
  const found = new Map<string, readonly string[]>();
  for (const line of block.split('\n')) {
    const [name = '', ...rest] = line.split('=');
    found.set(name, [...(found.get(name) ?? []), rest.join('=')]);
  }
  return found;
}

/** The one value of a property; '' where there is none. */
export function onlyValue(unit: UnitProperties | undefined, name: string): string {
  return unit?.get(name)?.[0] ?? '';
}

/** Runs systemctl. Returns what it prints. Throws SystemdError. */
export async function systemctl(run: RunCommand, ...args: readonly string[]): Promise<string> {
  const result = await run('systemctl', args, { timeoutMs: TIMEOUT_MS });
  if (result.exitCode === 0) return result.stdout;
  const reason = result.failure ?? (result.stderr || `exit status ${result.exitCode ?? '?'}`);
  throw new SystemdError(`systemctl ${args[0] ?? ''}: ${reason.split('\n')[0] ?? ''}`);
}

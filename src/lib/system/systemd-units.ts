import type { RunCommand } from './command.ts';

/** What systemd knows of the passes of an instance. */
export interface PassUnit {
  /** `dns-probe@recursive.service`. */
  readonly service: string;
  /** How its last pass ended, where systemd takes that for a failure: `exit status 78`, `timeout`. */
  readonly failure: string | undefined;
  /** Whether a timer is going to start the next one. */
  readonly scheduled: boolean;
}

const TIMEOUT_MS = 3000;
const PROPERTIES = 'Id,ActiveState,Result,ExecMainStatus';

/**
 * Asks systemd which of its units make the passes of instances, with one process for all.
 *
 * @returns by instance; none for what systemd has not loaded, or where it cannot be asked
 */
export async function readPassUnits(
  run: RunCommand,
  instances: readonly string[],
): Promise<ReadonlyMap<string, PassUnit>> {
  const patterns = instances.flatMap((name) => [
    `*-probe@${name}.service`,
    `*-probe@${name}.timer`,
  ]);
  // All: also those that failed, or have not started yet.
  const args = ['show', '--all', '--no-pager', `--property=${PROPERTIES}`, '--', ...patterns];
  const { exitCode, stdout } = await run('systemctl', args, { timeoutMs: TIMEOUT_MS });
  if (exitCode !== 0) return new Map();
  const units = stdout.split('\n\n').map(propertiesOf);
  const running = new Set(
    units.filter((unit) => unit.get('ActiveState') === 'active').map((unit) => unit.get('Id')),
  );
  const found = new Map<string, PassUnit>();
  for (const unit of units) {
    const [, probe, instance] =
      /^(.+-probe)@(.+)\.(?:service|timer)$/.exec(unit.get('Id') ?? '') ?? [];
    if (probe === undefined || instance === undefined) continue;
    const service = `${probe}@${instance}.service`;
    const isService = unit.get('Id') === service;
    found.set(instance, {
      service,
      failure: isService ? failureOf(unit) : found.get(instance)?.failure,
      scheduled: running.has(`${probe}@${instance}.timer`),
    });
  }
  return found;
}

function propertiesOf(block: string): ReadonlyMap<string, string> {
  return new Map(
    block.split('\n').map((line): [string, string] => {
      const [name = '', ...value] = line.split('=');
      return [name, value.join('=')];
    }),
  );
}

/** systemd.exec(5), PROCESS EXIT CODES; `Result` is that of systemd.service(5), $SERVICE_RESULT. */
function failureOf(unit: ReadonlyMap<string, string>): string | undefined {
  const result = unit.get('Result') ?? 'success';
  if (result === 'success') return undefined;
  return result === 'exit-code' ? `exit status ${unit.get('ExecMainStatus') ?? '?'}` : result;
}

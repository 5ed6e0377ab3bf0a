import { knownInstances, selectInstances } from '../node/known-instances.ts';
import { awaitAdvertised, resumeInstance } from '../node/resume.ts';
import { formatDuration } from '../system/duration.ts';
import { ExitStatus } from '../system/exit-status.ts';
import { currentLogin } from '../system/login.ts';
import type { resumeOptions } from './ha-options.ts';
import { nodeContext } from './node-context.ts';
import type { Values } from '../options/option.ts';
import { isJournal, type Output } from './output.ts';
import type { Operands } from '../options/parse-arguments.ts';
import { namedInstances } from './run-ha-program.ts';
import { listenForSignals } from './signals.ts';
import { keepNotices, tellSystemLog } from './system-log.ts';

/**
 * Ends suspensions.
 *
 * @returns 0, or with --wait 1 when an instance is not advertised in time
 */
export async function haResume(
  values: Values<typeof resumeOptions>,
  operands: Operands,
  output: Output,
): Promise<number> {
  const names = namedInstances(operands, values.all);
  const kept = keepNotices(output);
  const context = nodeContext(values, kept.log);
  const known = knownInstances(context);
  const instances = values.all ? known : selectInstances(names, known);
  const holder = values.everyone ? undefined : values.by;
  const who = currentLogin();
  for (const instance of instances) resumeInstance(instance, holder, who, context);
  const journal = isJournal(process.env['JOURNAL_STREAM']);
  await tellSystemLog('ha-resume', kept.take(), who, journal, context.run);
  const { wait } = values;
  if (wait === undefined) return ExitStatus.up;
  const signals = listenForSignals();
  const results = await Promise.all(
    instances.map(async (instance) => ({
      instance,
      ...(await awaitAdvertised(instance, wait, context, signals.signal)),
    })),
  );
  if (signals.requested() === 'leave') return signals.leaveStatus();
  const missing = results.filter(({ advertised }) => !advertised);
  for (const { instance, why } of missing) {
    output.error(`${instance}: not advertised after ${formatDuration(wait)}: ${why}`);
  }
  return missing.length === 0 ? ExitStatus.up : ExitStatus.notAsItShouldBe;
}

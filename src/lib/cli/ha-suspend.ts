import { knownInstances, runningInstances, selectInstances } from '../node/known-instances.ts';
import type { NodeContext } from '../node/node-context.ts';
import type { SuspensionRequest } from '../node/hold.ts';
import { suspendInstances } from '../node/suspend.ts';
import { UsageError } from '../system/errors.ts';
import { ExitStatus } from '../system/exit-status.ts';
import { currentLogin, type Login } from '../system/login.ts';
import type { suspendOptions } from './ha-options.ts';
import { nodeContext } from './node-context.ts';
import type { Values } from '../options/option.ts';
import { isJournal, type Output } from './output.ts';
import type { Operands } from '../options/parse-arguments.ts';
import { namedInstances } from './run-ha-program.ts';
import { listenForSignals } from './signals.ts';
import { keepNotices, tellSystemLog } from './system-log.ts';

/**
 * Suspends instances: with a command behind `--` for as long as it runs, else until they are
 * resumed.
 *
 * @returns 0 when the kernel shows that they are out and the drain is over, or the command's own
 *   exit status
 */
export async function haSuspend(
  values: Values<typeof suspendOptions>,
  operands: Operands,
  output: Output,
): Promise<number> {
  const names = namedInstances(operands, values.all);
  const kept = keepNotices(output);
  const context = nodeContext(values, kept.log);
  const who = currentLogin();
  const tell = async (): Promise<void> => {
    const journal = isJournal(process.env['JOURNAL_STREAM']);
    const lines = kept.take().map((line) => `${line}: ${values.reason}, as '${values.by}'`);
    await tellSystemLog('ha-suspend', lines, who, journal, context.run);
  };
  try {
    return await suspendAsAsked(values, operands, names, who, output, context, tell);
  } finally {
    await tell();
  }
}

async function suspendAsAsked(
  values: Values<typeof suspendOptions>,
  operands: Operands,
  names: readonly string[],
  who: Login,
  output: Output,
  context: NodeContext,
  tell: () => Promise<void>,
): Promise<number> {
  const request: SuspensionRequest = {
    holder: values.by,
    reason: values.reason,
    forMs: values.for,
    acrossReboot: values['across-reboot'],
    drainMs: values.drain,
    processes: undefined,
    who,
    replace: values.replace,
  };
  const instances = values.all
    ? runningInstances(context)
    : selectInstances(names, knownInstances(context));
  if (instances.length === 0) output.warning('no instance runs here: nothing is suspended');
  const [command, ...args] = operands.rest;
  if (command !== undefined) {
    if (request.acrossReboot) {
      throw new UsageError('--across-reboot: a command does not survive a reboot');
    }
    const { suspendDuring } = await import('./suspend-during.ts');
    const after = { keepOnFailure: values['keep-on-failure'], waitMs: values.wait };
    return suspendDuring({ command, args }, instances, request, after, context, async () => {
      output.flush();
      await tell();
    });
  }
  if (values.wait !== undefined) throw new UsageError('--wait: needs a command behind --');
  if (values['keep-on-failure'])
    throw new UsageError('--keep-on-failure: needs a command behind --');
  return suspendNow(instances, request, context);
}

async function suspendNow(
  instances: readonly string[],
  request: SuspensionRequest,
  context: NodeContext,
): Promise<number> {
  const signals = listenForSignals();
  await suspendInstances(instances, request, context, signals.signal);
  const asked = signals.requested();
  if (asked === undefined) return ExitStatus.up;
  context.log.warning('interrupted: suspended all the same, but the drain was cut short');
  return asked === 'leave' ? signals.leaveStatus() : ExitStatus.up;
}

import {
  changeSuspension,
  endSuspension,
  type SuspensionRequest,
  type Written,
} from '../node/hold.ts';
import type { NodeContext } from '../node/node-context.ts';
import { awaitAdvertised, sayResumed } from '../node/resume.ts';
import { suspendInstances } from '../node/suspend.ts';
import { suspensionFolders } from '../pass/read-suspensions.ts';
import type { Suspension } from '../state/suspension-record.ts';
import { standingSuspension, VOUCH_MS } from '../state/suspensions.ts';
import { formatDuration } from '../system/duration.ts';
import { ReportedError } from '../system/errors.ts';
import { ExitStatus } from '../system/exit-status.ts';
import { identityOf, ownIdentity } from '../system/process-identity.ts';
import { randomHex } from '../system/random.ts';
import { forwardSignals, runGated, type CommandLine, type Forwarding } from './gated-command.ts';

/** What happens once the command is over. */
export interface Afterwards {
  /** Leave the instances suspended, bound to nothing, when the command fails. */
  readonly keepOnFailure: boolean;
  /** How long to wait until they are advertised again; undefined: not at all. */
  readonly waitMs: number | undefined;
}

/**
 * Suspends instances, runs a command, and resumes them whatever became of it. The suspension has a
 * name of its own, which no other command shares, and is bound to this process and to the command's:
 * should both be killed, it ends with them. What somebody else suspends is never ended here.
 *
 * @param beforeCommand runs when the command is about to: what was said so far is to be seen first
 * @returns the command's exit status; 128 + N when signal N ended it or came before it began; 1 when
 *   it succeeded and an instance is not advertised again in time
 * @throws as `suspendInstances`: then the command was not run, and the instances are resumed
 */
export async function suspendDuring(
  line: CommandLine,
  instances: readonly string[],
  request: SuspensionRequest,
  after: Afterwards,
  context: NodeContext,
  beforeCommand: () => Promise<void>,
): Promise<number> {
  const signals = forwardSignals();
  const { waitMs } = after;
  const self = ownIdentity();
  const holder = `${request.holder.slice(0, LONGEST_NAME)}:${line.command.replaceAll(/[^\w.-]/g, '_').slice(-LONGEST_NAME)}:${randomHex(4)}`;
  const own = { ...request, holder, processes: [self] };
  let written: Written = new Map();
  let failed = false;
  let vouch: NodeJS.Timeout | undefined;
  try {
    await suspendInstances(instances, own, context, signals.first, (all) => {
      written = all;
    });
    const interrupted = signals.statusOfFirst();
    if (interrupted !== undefined) return interrupted;
    await beforeCommand();
    const status = await runGated(line, signals, context.log, (pid) => {
      const processes = [self, identityOf(pid)];
      const bind = (): void => {
        const vouchedUntilBootMs = context.clock.now().bootMs + VOUCH_MS;
        for (const [instance, suspension] of written) {
          if (!stands(instance, holder, suspension.id, context)) continue; // somebody ended it
          changeSuspension(
            instance,
            holder,
            { ...suspension, processes, vouchedUntilBootMs },
            context,
          );
        }
      };
      bind();
      vouch = setInterval(() => {
        try {
          bind();
        } catch (error) {
          // What was written last holds for a while, and the next try may do.
          if (!(error instanceof ReportedError)) throw error;
          context.log.step(error.message);
        }
      }, VOUCH_MS / 3);
    });
    failed = status !== 0;
    if (failed || waitMs === undefined) return status;
  } finally {
    clearInterval(vouch);
    // Signals are still caught: a second one must not leave half of them resumed.
    for (const [instance, suspension] of written) {
      if (failed && after.keepOnFailure) keep(instance, holder, suspension, request, context);
      else resume(instance, holder, suspension, request, context);
    }
  }
  return awaitAll([...written.keys()], waitMs, signals, context);
}

/** Of a name: two parts and a random one have to fit into 64 characters. */
const LONGEST_NAME = 24;

function resume(
  instance: string,
  holder: string,
  { id }: Suspension,
  { who }: SuspensionRequest,
  context: NodeContext,
): void {
  if (endSuspension(instance, holder, id, context)) {
    sayResumed(instance, who, context);
  }
}

/**
 * Leaves an instance suspended, under the name that was asked for, so that ha-resume ends it. Where
 * somebody suspends it under that name already, that is enough. The end stays what it was.
 */
function keep(
  instance: string,
  holder: string,
  suspension: Suspension,
  request: SuspensionRequest,
  context: NodeContext,
): void {
  const { holder: name } = request;
  const now = context.clock.now();
  const isHeld = suspensionFolders(context).some(
    (folder) => standingSuspension(folder, instance, name, now)?.inForce === true,
  );
  if (!isHeld && stands(instance, holder, suspension.id, context)) {
    const unbound = { ...suspension, processes: null, vouchedUntilBootMs: null };
    changeSuspension(instance, name, unbound, context);
  }
  endSuspension(instance, holder, suspension.id, context);
  context.log.notice(`${instance}: stays suspended by ${name}, for the command failed`);
}

/** Whether a suspension is still the one that was written. */
function stands(instance: string, holder: string, id: string, context: NodeContext): boolean {
  const now = context.clock.now();
  return suspensionFolders(context).some(
    (folder) => standingSuspension(folder, instance, holder, now)?.id === id,
  );
}

async function awaitAll(
  instances: readonly string[],
  waitMs: number,
  signals: Forwarding,
  context: NodeContext,
): Promise<number> {
  const results = await Promise.all(
    instances.map(async (instance) => ({
      instance,
      ...(await awaitAdvertised(instance, waitMs, context, signals.first)),
    })),
  );
  const missing = results.filter(({ advertised }) => !advertised);
  for (const { instance, why } of missing) {
    context.log.error(`${instance}: not advertised after ${formatDuration(waitMs)}: ${why}`);
  }
  return missing.length === 0 ? ExitStatus.up : ExitStatus.notAsItShouldBe;
}

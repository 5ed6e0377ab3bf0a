import { constants } from 'node:os';
import { Duplex } from 'node:stream';
import { isatty } from 'node:tty';
import type { NodeContext } from '../pass/node-context.ts';
import { awaitAdvertised, sayResumed } from '../pass/resume.ts';
import {
  changeSuspension,
  endSuspension,
  suspendInstances,
  type SuspensionRequest,
  type Written,
} from '../pass/suspend.ts';
import { suspensionFolders } from '../pass/suspension-reading.ts';
import { standingSuspension, VOUCH_MS, type Suspension } from '../state/suspensions.ts';
import { containStart } from '../system/contain-start.ts';
import { formatDuration } from '../system/duration.ts';
import { errnoOf, ReportedError } from '../system/errors.ts';
import { ExitStatus } from '../system/exit-status.ts';
import { identityOf, ownIdentity } from '../system/process-identity.ts';
import { randomHex } from '../system/random.ts';

export interface CommandLine {
  readonly command: string;
  readonly args: readonly string[];
}

const FORWARDED = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;
type Forwarded = (typeof FORWARDED)[number];

/** What a shell exits with for a command that it cannot run (POSIX 2.8.2). */
const NOT_EXECUTABLE = 126;
/** The gate's own end, when it was not told to become the command. */
const GATE_SHUT = 125;
const SIGNAL_BASE = 128;

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
    const status = await run(line, signals, context, (pid) => {
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

/**
 * Becomes the command when it is told to on descriptor 3, and ends when nobody is left to tell it:
 * so the command never runs before its suspension knows of it.
 */
const GATE = 'read -r go <&3 || exit 125; exec 3<&-; exec "$@"';

/** What a shell says of a command that it cannot start, it says here too, with its exit status. */
async function run(
  { command, args }: CommandLine,
  signals: Forwarding,
  { log }: NodeContext,
  started: (pid: number) => void,
): Promise<number> {
  const { execa } = await import('execa');
  let result;
  try {
    result = await containStart(() => {
      const child = execa('/bin/sh', ['-c', GATE, 'ha-suspend', command, ...args], {
        stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
        reject: false,
        cleanup: false,
      });
      const { pid } = child;
      const gate = child.stdio[3];
      if (pid !== undefined && gate instanceof Duplex) {
        started(pid);
        signals.forwardTo(pid);
        gate.on('error', () => {
          // The gate was killed: its end tells.
        });
        gate.end(signals.statusOfFirst() === undefined ? 'go\n' : '');
      }
      return child;
    });
  } catch (error) {
    const errno = errnoOf(error);
    if (error instanceof ReportedError || errno === undefined) throw error;
    log.error(`cannot run ${command}: ${errno}`);
    return NOT_EXECUTABLE;
  }
  const interrupted = signals.statusOfFirst();
  if (result.exitCode === GATE_SHUT && interrupted !== undefined) return interrupted;
  if (result.signal !== undefined) return SIGNAL_BASE + constants.signals[result.signal];
  if (result.exitCode !== undefined) return result.exitCode;
  log.error(`cannot run ${command}: ${result.code ?? result.shortMessage}`);
  return NOT_EXECUTABLE;
}

/** They are caught until this process ends: none cuts off what follows the command. */
interface Forwarding {
  /** Aborted with the first signal. */
  readonly first: AbortSignal;
  /** 128 + N of a signal that came already, before there was a command. */
  statusOfFirst(): number | undefined;
  /** From now on signals go to the command, and only there. */
  forwardTo(pid: number): void;
}

function forwardSignals(): Forwarding {
  const controller = new AbortController();
  let first: Forwarded | undefined;
  let target: number | undefined;
  const handler = (signal: NodeJS.Signals): void => {
    first ??= FORWARDED.find((name) => name === signal);
    controller.abort();
    if (target === undefined || fromTerminal(signal)) return;
    try {
      process.kill(target, signal);
    } catch {
      // It ended in this moment: there is nothing left to tell.
    }
  };
  for (const signal of FORWARDED) process.on(signal, handler);
  return {
    first: controller.signal,
    statusOfFirst: () => (first === undefined ? undefined : SIGNAL_BASE + constants.signals[first]),
    forwardTo: (pid) => {
      target = pid;
    },
  };
}

/** A terminal sends its signals to the command as well: once is enough. */
function fromTerminal(signal: NodeJS.Signals): boolean {
  return (signal === 'SIGINT' || signal === 'SIGQUIT') && isatty(0);
}

import { constants } from 'node:os';
import { Duplex } from 'node:stream';
import { containStart } from '../system/contain-start.ts';
import { errnoOf, ReportedError } from '../system/errors.ts';
import type { Log } from '../system/log.ts';
import { GroupWitness } from './group-witness.ts';

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

/**
 * Becomes the command when it is told to on descriptor 3, and ends when nobody is left to tell it:
 * so the command never runs before its suspension knows of it.
 */
const GATE = 'read -r go <&3 || exit 125; exec 3<&-; exec "$@"';

/**
 * Runs a user's command in our place: with our streams, and with the signals that come for us. What a
 * shell says of a command that it cannot start, it says here too, with its exit status.
 *
 * @param started is told the command's pid before the command begins
 * @returns its exit status; 128 + N when signal N ended it, or came before it began
 */
export async function runGated(
  { command, args }: CommandLine,
  signals: Forwarding,
  log: Log,
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
  } finally {
    signals.end();
  }
  const interrupted = signals.statusOfFirst();
  if (result.exitCode === GATE_SHUT && interrupted !== undefined) return interrupted;
  if (result.signal !== undefined) return SIGNAL_BASE + constants.signals[result.signal];
  if (result.exitCode !== undefined) return result.exitCode;
  log.error(`cannot run ${command}: ${result.code ?? result.shortMessage}`);
  return NOT_EXECUTABLE;
}

/** They are caught until this process ends: none cuts off what follows the command. */
export interface Forwarding {
  /** Aborted with the first signal. */
  readonly first: AbortSignal;
  /** 128 + N of a signal that came already, before there was a command. */
  statusOfFirst(): number | undefined;
  /** From now on signals go to the command, and only there. It is one of our own process group. */
  forwardTo(pid: number): void;
  /** The command is over. */
  end(): void;
}

/** Begins to catch signals. */
export function forwardSignals(): Forwarding {
  const controller = new AbortController();
  const witness = new GroupWitness();
  let first: Forwarded | undefined;
  let target: number | undefined;
  const handler = (signal: NodeJS.Signals): void => {
    first ??= FORWARDED.find((name) => name === signal);
    controller.abort();
    if (target !== undefined) void forward(target, signal);
  };
  /** Once: what was sent to the whole group, as by a terminal, the command has already. */
  const forward = async (pid: number, signal: NodeJS.Signals): Promise<void> => {
    if ((await witness.saw(signal)) || target !== pid) return;
    try {
      process.kill(pid, signal);
    } catch {
      // It ended in this moment: there is nothing left to tell.
    }
  };
  for (const signal of FORWARDED) process.on(signal, handler);
  return {
    first: controller.signal,
    statusOfFirst: () => (first === undefined ? undefined : SIGNAL_BASE + constants.signals[first]),
    forwardTo: (pid) => {
      witness.begin();
      target = pid;
    },
    end: () => {
      target = undefined;
      witness.end();
    },
  };
}

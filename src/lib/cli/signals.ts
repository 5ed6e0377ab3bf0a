import { setMaxListeners } from 'node:events';
import type { Interruption, Interrupts } from '../pass/ports.ts';
import { ExitStatus } from '../system/exit-status.ts';

/** The signals that came so far, for the passes of a process and for its own end. */
export interface Signals extends Interrupts {
  /** The exit status of a pass that was told to leave everything as it is. */
  leaveStatus(): number;
  /** After a SIGTSTP was obeyed: stops this process until SIGCONT, unless that came already. */
  stop(): void;
  /** No signal is handled any more. */
  close(): void;
}

/** A later request of a higher rank replaces an earlier one. */
const RANK: readonly Interruption[] = ['suspend', 'leave', 'withdraw'];

/** Starts to listen for signals. */
export function listenForSignals(): Signals {
  const asked = new AbortController();
  const hurry = new AbortController();
  // Every instance of the process listens: to Node more than ten look like a leak.
  setMaxListeners(0, asked.signal, hurry.signal);
  let request: Interruption | undefined;
  let leaveStatus: number = ExitStatus.interrupted;
  let continued = false;
  const take = (wanted: Interruption): void => {
    if (request === undefined || RANK.indexOf(wanted) > RANK.indexOf(request)) request = wanted;
    asked.abort();
  };
  const handlers: readonly (readonly [NodeJS.Signals, () => void])[] = [
    [
      'SIGTERM',
      () => {
        if (request === 'withdraw') hurry.abort();
        take('withdraw');
      },
    ],
    [
      'SIGINT',
      () => {
        if (request === 'withdraw') hurry.abort();
        leaveStatus = ExitStatus.interrupted;
        take('leave');
      },
    ],
    [
      'SIGHUP',
      () => {
        leaveStatus = ExitStatus.hangup;
        take('leave');
      },
    ],
    [
      'SIGTSTP',
      () => {
        continued = false;
        take('suspend');
      },
    ],
    [
      'SIGCONT',
      () => {
        continued = true;
      },
    ],
  ];
  for (const [signal, handler] of handlers) process.on(signal, handler);
  return {
    signal: asked.signal,
    hurry: hurry.signal,
    requested: () => request,
    leaveStatus: () => leaveStatus,
    stop: () => {
      if (!continued) process.kill(process.pid, 'SIGSTOP');
    },
    close: () => {
      for (const [signal, handler] of handlers) process.off(signal, handler);
    },
  };
}

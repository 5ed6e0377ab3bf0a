/**
 * Messages for people. The edge decides what is shown: steps only with --verbose, notices and
 * warnings unless --quiet, errors always.
 */
export interface Log {
  /** One step of the pass as it happens. */
  step(message: string): void;
  /** A transition or a change: worth one line in the journal. */
  notice(message: string): void;
  /** Something that needs an operator's eye although the pass goes on. */
  warning(message: string): void;
  /** Why the exit status is what it is. */
  error(message: string): void;
}

/** A log that marks every line with the instance it is about. */
export function prefixedLog(log: Log, prefix: string): Log {
  return {
    step: (message) => {
      log.step(`${prefix}: ${message}`);
    },
    notice: (message) => {
      log.notice(`${prefix}: ${message}`);
    },
    warning: (message) => {
      log.warning(`${prefix}: ${message}`);
    },
    error: (message) => {
      log.error(`${prefix}: ${message}`);
    },
  };
}

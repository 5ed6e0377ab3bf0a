import type { Place } from '../state/instance-state.ts';
import type { ActiveSuspension } from '../state/suspension-record.ts';
import type { Verdict } from '../probe/probe.ts';
import type { ReportedError } from '../system/errors.ts';
import { ExitStatus, worstExitStatus } from '../system/exit-status.ts';

/** What a pass saw and did: what is, as read back, not what was meant. */
export interface PassReport {
  readonly instance: string;
  readonly exitStatus: number;
  readonly verdict: Verdict | undefined;
  /** undefined where nothing is managed, or the pass ended before it decided. */
  readonly decision: PassDecision | undefined;
  /** What went wrong, each in one line. */
  readonly problems: readonly string[];
}

export interface PassDecision {
  readonly health: 'up' | 'down';
  readonly successes: number;
  readonly failures: number;
  /** Whether the kernel shows a service address at the end of the pass. */
  readonly advertising: boolean;
  readonly transition: Transition | undefined;
  readonly transitions: number;
  readonly suspensions: readonly ActiveSuspension[];
  readonly places: readonly (Place & { readonly present: boolean })[];
  /** How long the kernel keeps them without another pass; undefined: they are out, or for ever in. */
  readonly leaseLeftMs: number | undefined;
  /** What was changed, or what a dry run would change. */
  readonly changes: readonly string[];
}

/** A change of what the network sees. */
export interface Transition {
  readonly to: 'up' | 'down';
  /** `service up`, `suspended`, `withdrawn`, `vanished`, or the verdict's reason. */
  readonly reason: string;
  /** The line for people. */
  readonly message: string;
}

/** The exit status of a verdict on its own. */
export function verdictExitStatus(verdict: Verdict): number {
  switch (verdict.status) {
    case 'up':
      return ExitStatus.up;
    case 'down':
      return ExitStatus.down;
    case 'unknown':
      return ExitStatus.unknown;
  }
}

/**
 * Puts a report together.
 *
 * @param problems each contributes its exit status; a suspended instance's verdict does not
 */
export function reportOf(
  instance: string,
  verdict: Verdict | undefined,
  decision: PassDecision | undefined,
  problems: readonly ReportedError[],
): PassReport {
  const suspended = decision !== undefined && decision.suspensions.length > 0;
  const statuses = problems.map((problem): number => problem.exitStatus);
  if (verdict !== undefined && !suspended) statuses.push(verdictExitStatus(verdict));
  return {
    instance,
    exitStatus: worstExitStatus(statuses),
    verdict,
    decision,
    problems: problems.map(({ message }) => message),
  };
}

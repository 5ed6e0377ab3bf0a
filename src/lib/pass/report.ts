import { addressLabel, type Failure } from '../advertise/advertiser.ts';
import type { Verdict } from '../probe/probe.ts';
import type { InstanceState, ServiceAddress } from '../state/instance-state.ts';
import type { StateGap } from '../state/state-file.ts';
import type { ActiveSuspension } from '../state/suspension-record.ts';
import { formatDuration } from '../system/duration.ts';
import { KernelError, PermissionError, type ReportedError } from '../system/errors.ts';
import { ExitStatus, worstExitStatus } from '../system/exit-status.ts';
import type { Log } from '../system/log.ts';
import { describeVerdict } from './attempts.ts';
import { holdDownLeft } from './decide.ts';
import type { Outcome, Plan } from './facts.ts';
import { isAdvertising } from './next-state.ts';
import { describeSuspension } from './read-suspensions.ts';
import { endMessage } from './service-end.ts';

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
  readonly places: readonly (ServiceAddress & { readonly present: boolean })[];
  /** How long the kernel keeps them without another pass; undefined: they are out, or for ever in. */
  readonly leaseLeftMs: number | undefined;
  /** What was changed, or what a dry run would change. */
  readonly changes: readonly string[];
}

/** A change of what the network sees. */
export interface Transition {
  readonly to: 'up' | 'down';
  /** `service up`, `suspended`, `withdrawn`, `ended`, `vanished`, or the verdict's reason. */
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

/** The change of what the network sees, if this pass made or found one. Pure. */
export function transitionOf(outcome: Outcome): Transition | undefined {
  const advertising = isAdvertising(outcome);
  if (advertising === outcome.wasAdvertising) return undefined;
  const where = outcome.options.places.map(addressLabel).join(', ');
  const { verdict, decision, suspended, service } = outcome;
  if (advertising) {
    return {
      to: 'up',
      reason: 'service up',
      message: `up: advertising ${where}: ${verdict.detail}`,
    };
  }
  if (service.news !== undefined) {
    const didSo = outcome.changes.some(({ verb }) => verb === 'remove');
    return { to: 'down', reason: 'ended', message: endMessage(service.news, where, didSo) };
  }
  if (suspended.active.length > 0) {
    const by = suspended.active.map(describeSuspension).join(', ');
    return {
      to: 'down',
      reason: 'suspended',
      message: `down: withdrew ${where}: suspended by ${by}`,
    };
  }
  if (verdict.status === 'down' && decision.health.status === 'down') {
    const message = `down: withdrew ${where}: ${verdict.reason}: ${verdict.detail}`;
    return { to: 'down', reason: verdict.reason, message };
  }
  // Where the interface went, its addresses went with it.
  const why =
    verdict.status === 'unknown' && verdict.reason === 'no-interface'
      ? verdict.detail
      : 'removed by hand, or its lease ran out';
  const message = `down: ${where} is gone from the kernel: ${why}`;
  return { to: 'down', reason: 'vanished', message };
}

/** The addresses that were added although the node advertised all the time, each in a line. */
export function repairs(outcome: Outcome): readonly string[] {
  if (!outcome.wasAdvertising) return [];
  const known = new Set(outcome.before?.places.map(addressLabel));
  const end = outcome.service.news?.words;
  const why = end === undefined ? ', which was missing' : `: ${end}, and is back`;
  return outcome.changes
    .filter(({ verb, place }) => verb === 'add' && outcome.present.has(place.address))
    .map(({ place }) => addressLabel(place))
    .map((label) => (known.has(label) ? `put ${label} back${why}` : `added ${label}`));
}

/** What is said of a state that cannot be used. */
export function gapMessage(gap: StateGap): string {
  const why: Record<StateGap, string> = {
    missing: 'no state yet',
    unreadable: 'the state cannot be read',
    corrupt: 'the state is corrupt',
    newer: 'the state was written by a newer version',
    'other-boot': 'the state is from before the reboot',
    expired: 'the state is older than the lease',
  };
  return `${why[gap]}: starting from what the kernel shows`;
}

/** With --verbose: why the pass does what it does. */
export function explain(plan: Plan, log: Log): void {
  const { options, verdict, decision, suspended, view, now } = plan;
  const { health } = decision;
  log.step(`verdict ${describeVerdict(verdict)}`);
  const counts = `${health.successes}/${options.rise} successes, ${health.failures}/${options.fall} failures`;
  log.step(`health ${health.status} (${counts})`);
  const heldMs = holdDownLeft(health, options, now.bootMs);
  if (heldMs > 0) log.step(`hold-down: stays down for ${formatDuration(heldMs)}`);
  for (const suspension of suspended.active) {
    log.step(`suspended by ${describeSuspension(suspension)}`);
  }
  for (const place of options.places) {
    log.step(`${addressLabel(place)} is ${view.present.has(place.address) ? 'present' : 'absent'}`);
  }
  if (plan.changes.length === 0) log.step('nothing to change');
}

/** What a dry run tells: the plan, and the kernel as it is. */
export function reportDryRun(plan: Plan): PassReport {
  const { options, view, suspended } = plan;
  const decision: PassDecision = {
    ...sharedBy(plan, view.present),
    transition: undefined,
    transitions: 0,
    leaseLeftMs: undefined,
  };
  const problems = suspended.error === undefined ? [] : [suspended.error];
  return reportOf(options.instance, plan.verdict, decision, problems);
}

/**
 * Says what changed and what went wrong, and puts the report together.
 *
 * @param state that the pass left behind
 * @param degraded why lock, state or suspensions could not be written or read, if so
 */
export function reportPass(
  outcome: Outcome,
  { transitions, leaseFromMs }: InstanceState,
  degraded: ReportedError | undefined,
  log: Log,
): PassReport {
  const { options, now } = outcome;
  const transition = transitionOf(outcome);
  if (transition !== undefined) log.notice(transition.message);
  for (const repaired of repairs(outcome)) log.notice(repaired);
  const decision: PassDecision = {
    ...sharedBy(outcome, outcome.present),
    transition,
    transitions,
    leaseLeftMs:
      leaseFromMs === null || options.leaseMs === undefined
        ? undefined
        : leaseFromMs + options.leaseMs - now.bootMs,
  };
  const problems = [
    degraded,
    outcome.suspended.error,
    ...outcome.failures.map(failureError),
    ...foreignErrors(outcome),
  ].filter((problem) => problem !== undefined);
  for (const { message } of problems) log.error(message);
  return reportOf(options.instance, outcome.verdict, decision, problems);
}

/** What a plan and its outcome tell alike. */
function sharedBy(
  { options, decision, suspended, changes }: Plan,
  present: ReadonlySet<string>,
): Omit<PassDecision, 'transition' | 'transitions' | 'leaseLeftMs'> {
  const { status, successes, failures } = decision.health;
  return {
    health: status,
    successes,
    failures,
    advertising: isAdvertising({ options, present }),
    suspensions: suspended.active,
    places: options.places.map((place) => ({ ...place, present: present.has(place.address) })),
    changes: changes.map(({ verb, place }) => `${verb} ${addressLabel(place)}`),
  };
}

/** What stays advertised although it should not be, because it is not ours to remove. */
function foreignErrors({ verdict, decision, view }: Plan): readonly KernelError[] {
  if (verdict.status !== 'down' || decision.advertise) return [];
  return Array.from(
    view.foreign ?? [],
    ([address, found]) =>
      new KernelError(`${address} stays advertised: ${found} is somebody else's, and left alone`),
  );
}

export function failureError({ change, message, notPermitted }: Failure): ReportedError {
  const text = `cannot ${change.verb} ${addressLabel(change.place)}: ${message}`;
  return notPermitted
    ? new PermissionError(`${text} (CAP_NET_ADMIN is needed)`)
    : new KernelError(text);
}

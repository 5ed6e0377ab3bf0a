import { placeLabel, type Failure } from '../advertise/advertiser.ts';
import { formatDuration } from '../system/duration.ts';
import { KernelError, PermissionError, type ReportedError } from '../system/errors.ts';
import type { Log } from '../system/log.ts';
import { describeVerdict } from './attempts.ts';
import { holdDownLeft } from './decide.ts';
import type { Examination } from './examine.ts';
import { isAdvertising, nextState, type PassFacts } from './next-state.ts';
import type { PassOptions } from './pass-options.ts';
import { reportOf, type PassDecision, type PassReport } from './pass-report.ts';
import type { Outcome } from './reconcile.ts';
import { describeSuspension } from './suspension-reading.ts';
import { repairs, transitionOf } from './transition.ts';

/** With --verbose: why the pass does what it does. */
export function explain(examined: Examination, options: PassOptions, log: Log): void {
  const { verdict, assessment, suspended, view, now } = examined;
  const { health } = assessment;
  log.step(`verdict ${describeVerdict(verdict)}`);
  const counts = `${health.successes}/${options.rise} successes, ${health.failures}/${options.fall} failures`;
  log.step(`health ${health.status} (${counts})`);
  const heldMs = holdDownLeft(health, options, now.bootMs);
  if (heldMs > 0) log.step(`hold-down: stays down for ${formatDuration(heldMs)}`);
  for (const suspension of suspended.active) {
    log.step(`suspended by ${describeSuspension(suspension)}`);
  }
  for (const place of options.places) {
    log.step(`${placeLabel(place)} is ${view.present.has(place.address) ? 'present' : 'absent'}`);
  }
  if (examined.changes.length === 0) log.step('nothing to change');
}

/** What a dry run tells: the plan, and the kernel as it is. */
export function reportDryRun(examined: Examination, options: PassOptions): PassReport {
  const { verdict, assessment, view, suspended } = examined;
  const { health } = assessment;
  const decision: PassDecision = {
    health: health.status,
    successes: health.successes,
    failures: health.failures,
    advertising: options.places.some(({ address }) => view.present.has(address)),
    transition: undefined,
    transitions: 0,
    suspensions: suspended.active,
    places: options.places.map((place) => ({ ...place, present: view.present.has(place.address) })),
    leaseLeftMs: undefined,
    changes: describeChanges(examined.changes),
  };
  const problems = suspended.error === undefined ? [] : [suspended.error];
  return reportOf(options.instance, verdict, decision, problems);
}

/**
 * Says what changed and what went wrong, and puts the report together.
 *
 * @param degraded why lock, state or suspensions could not be written or read, if so
 */
export function conclude(
  facts: PassFacts,
  examined: Examination,
  outcome: Outcome,
  degraded: ReportedError | undefined,
  log: Log,
): PassReport {
  const { options, present } = facts;
  const transition = transitionOf(facts, examined.suspended.active);
  if (transition !== undefined) log.notice(transition.message);
  for (const repaired of repairs(outcome.changes, facts)) log.notice(repaired);
  const { health, leaseFromMs, transitions } = nextState(facts);
  const decision: PassDecision = {
    health: health.status,
    successes: health.successes,
    failures: health.failures,
    advertising: isAdvertising(facts),
    transition,
    transitions,
    suspensions: examined.suspended.active,
    places: options.places.map((place) => ({ ...place, present: present.has(place.address) })),
    leaseLeftMs:
      leaseFromMs === null || options.leaseMs === undefined
        ? undefined
        : leaseFromMs + options.leaseMs - facts.now.bootMs,
    changes: describeChanges(outcome.changes),
  };
  const problems = [
    degraded,
    examined.suspended.error,
    ...outcome.failures.map(failureError),
    ...foreignErrors(examined),
  ].filter((problem) => problem !== undefined);
  for (const { message } of problems) log.error(message);
  return reportOf(options.instance, facts.verdict, decision, problems);
}

/** What stays advertised although it should not be, because it is not ours to remove. */
function foreignErrors({ verdict, assessment, view }: Examination): readonly KernelError[] {
  if (verdict.status !== 'down' || assessment.advertise) return [];
  return Array.from(
    view.foreign ?? [],
    ([address, found]) =>
      new KernelError(`${address} stays advertised: ${found} is somebody else's, and left alone`),
  );
}

export function failureError({ change, message, notPermitted }: Failure): ReportedError {
  const text = `cannot ${change.verb} ${placeLabel(change.place)}: ${message}`;
  return notPermitted
    ? new PermissionError(`${text} (CAP_NET_ADMIN is needed)`)
    : new KernelError(text);
}

function describeChanges(changes: Outcome['changes']): readonly string[] {
  return changes.map(({ verb, place }) => `${verb} ${placeLabel(place)}`);
}

import { placeLabel, type Change, type Failure } from '../advertise/advertiser.ts';
import type { InstanceState, Place } from '../state/instance-state.ts';
import { StateError } from '../system/errors.ts';
import { usableState } from './assess.ts';
import { drainAfter } from './drain-changes.ts';
import type { Examination } from './examine.ts';
import type { PassOptions } from './pass-options.ts';
import type { PassPorts } from './pass-ports.ts';
import { drainPlace, reconcile, type Outcome, type Reconciled } from './reconcile.ts';
import type { Session } from './session.ts';
import { withdrawPlaces } from './withdraw.ts';

/**
 * Whether a pass is what takes a healthy instance out as planned. Whoever suspends writes that
 * down, and then waits for the lock: a pass that is under way, and sees the suspension, withdraws
 * before. Without a drain it would lose what is still on its way.
 */
function leavesAsPlanned(
  { reading, mayWrite }: Session,
  { assessment, changes, verdict }: Examination,
  { drainMs }: PassOptions,
  { advertiser }: PassPorts,
): boolean {
  const state = usableState(reading);
  return (
    state?.health.status === 'up' &&
    verdict.status !== 'down' &&
    assessment.suspensionIds.some((id) => !state.suspensionIds.includes(id)) &&
    changes.some(({ verb }) => verb === 'remove') &&
    mayWrite &&
    drainMs > 0 &&
    advertiser.canDrain
  );
}

/**
 * Applies the changes of a pass. An instance that a suspension takes out is drained.
 *
 * @param suspended looks at the suspensions as they are in this moment
 * @returns what came of it, and what is to be drained from now on
 * @throws KernelError, PermissionError or StateError when a planned withdrawal fails
 */
export async function applyChanges(
  session: Session,
  examined: Examination,
  suspended: () => boolean,
  options: PassOptions,
  ports: PassPorts,
): Promise<Outcome & { readonly drain: ReturnType<typeof drainAfter> }> {
  session.requireLock();
  const before = drainDropped(session, examined, options, ports);
  const { assessment } = examined;
  const changes = [...drainsOf(before, examined, options), ...examined.changes];
  const planned = before !== undefined && leavesAsPlanned(session, examined, options, ports);
  const own = new Set(options.places.map(({ address }) => address));
  const leaves = ({ verb, place }: Change): boolean => verb === 'remove' && own.has(place.address);
  const others = planned ? changes.filter((change) => !leaves(change)) : changes;
  const reconciled = await reconcile(others, options.leaseMs, suspended, ports);
  const outcome = { ...reconciled, failures: withoutDrains(reconciled.failures, ports) };
  sayDropped(outcome, own, ports);
  const drain = drainAfter(before, outcome.changes, outcome.failures);
  if (outcome.undo.length > 0) return undo(session, outcome, drain, examined, options, ports);
  if (!planned) return { ...outcome, drain };
  const state = { ...before, drain, suspensionIds: [...assessment.suspensionIds] };
  const withdrawal = await withdrawPlaces(session, state, options.places, options.drainMs, ports);
  return { changes, failures: outcome.failures, drain: withdrawal.state.drain };
}

/**
 * Takes out again what was added while somebody suspended the instance: clients may have come by
 * then, so it is drained as in any planned withdrawal.
 */
async function undo(
  session: Session,
  outcome: Reconciled,
  drain: ReturnType<typeof drainAfter>,
  { assessment }: Examination,
  { drainMs, leaseMs }: PassOptions,
  ports: PassPorts,
): Promise<Outcome & { readonly drain: ReturnType<typeof drainAfter> }> {
  const removals = outcome.undo.map((place): Change => ({ verb: 'remove', place }));
  const changes = [...outcome.changes, ...removals];
  const before = usableState(session.reading);
  if (before === undefined || !session.mayWrite) {
    const failures = await ports.advertiser.apply(removals, leaseMs);
    return { changes, failures: [...outcome.failures, ...failures], drain };
  }
  const state = { ...before, drain, health: assessment.health };
  const withdrawal = await withdrawPlaces(session, state, outcome.undo, drainMs, ports);
  return { changes, failures: outcome.failures, drain: withdrawal.state.drain };
}

/** The addresses that the configuration does not name any more, and that go with this pass. */
function dropped({ changes }: Examination, { places }: PassOptions): readonly Place[] {
  const own = new Set(places.map(({ address }) => address));
  return changes
    .filter(({ verb, place }) => verb === 'remove' && !own.has(place.address))
    .map(({ place }) => place);
}

/**
 * An address that the configuration gives up leaves as planned: the state says until when it is
 * drained before the route is there.
 *
 * @returns the state before this pass, with that drain
 */
function drainDropped(
  session: Session,
  examined: Examination,
  options: PassOptions,
  { advertiser }: PassPorts,
): InstanceState | undefined {
  const before = usableState(session.reading);
  const places = dropped(examined, options);
  const isPlanned =
    before?.health.status === 'up' &&
    examined.verdict.status !== 'down' &&
    session.mayWrite &&
    options.drainMs > 0 &&
    advertiser.canDrain;
  if (!isPlanned || places.length === 0) return before;
  const addresses = [...places.map(({ address }) => address), ...(before.drain?.addresses ?? [])];
  const untilMs = examined.now.bootMs + options.drainMs;
  const next = { ...before, drain: { untilMs, addresses: [...new Set(addresses)] } };
  try {
    session.write(next);
    return next;
  } catch (error) {
    if (!(error instanceof StateError)) throw error;
    return before; // without the state, no drain: nobody would know of its route
  }
}

function drainsOf(
  before: InstanceState | undefined,
  examined: Examination,
  options: PassOptions,
): readonly Change[] {
  const drained = new Set(before?.drain?.addresses);
  return dropped(examined, options)
    .filter(({ address }) => drained.has(address))
    .map(({ address }): Change => ({ verb: 'drain', place: drainPlace(address) }));
}

/** Without its drain a withdrawal is still one: that is warned about. */
function withoutDrains(
  failures: readonly Failure[],
  { log }: Pick<PassPorts, 'log'>,
): readonly Failure[] {
  for (const { change, message } of failures) {
    if (change.verb === 'drain') log.warning(`${change.place.address} is not drained: ${message}`);
  }
  return failures.filter(({ change }) => change.verb !== 'drain');
}

function sayDropped(
  { changes, failures }: Outcome,
  own: ReadonlySet<string>,
  { log }: Pick<PassPorts, 'log'>,
): void {
  const stuck = new Set(failures.map(({ change }) => change));
  for (const change of changes) {
    if (change.verb !== 'remove' || own.has(change.place.address) || stuck.has(change)) continue;
    log.notice(`withdrew ${placeLabel(change.place)}: the configuration does not name it any more`);
  }
}

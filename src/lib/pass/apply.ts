import { placeLabel, type Change, type Failure } from '../advertise/advertiser.ts';
import type { InstanceState, Place } from '../state/instance-state.ts';
import { StateError } from '../system/errors.ts';
import { usableState } from './decide.ts';
import { drainAfter } from './drain.ts';
import type { Examination } from './plan.ts';
import type { PassOptions, PassPorts } from './ports.ts';
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

/** What came of the changes of a pass. */
export interface Outcome {
  readonly changes: readonly Change[];
  readonly failures: readonly Failure[];
}

/** An outcome, with what was added while somebody suspended the instance: it has to go again. */
export interface Reconciled extends Outcome {
  readonly undo: readonly Place[];
}

/**
 * Applies the changes of a pass. Whoever suspends an instance writes that down first and takes the
 * lock later; so it is looked for just before anything is added, and once more behind it. What the
 * addition needs is loaded before the look, so that the two are next to each other.
 *
 * @param isSuspended looks at the suspensions as they are in this moment; also true when that
 *   cannot be told
 */
export async function reconcile(
  planned: readonly Change[],
  leaseMs: number | undefined,
  isSuspended: () => boolean,
  { advertiser, log, prepareChange }: Pick<PassPorts, 'advertiser' | 'log' | 'prepareChange'>,
): Promise<Reconciled> {
  const adds = (change: Change): boolean => change.verb === 'add' || change.verb === 'renew';
  let changes = planned;
  if (planned.some(adds)) await prepareChange();
  if (planned.some(adds) && isSuspended()) {
    log.step('suspended in this moment: nothing is added');
    changes = planned.filter((change) => !adds(change));
  }
  if (changes.length === 0) return { changes, failures: [], undo: [] };
  for (const change of changes) log.step(`${change.verb} ${placeLabel(change.place)}`);
  const failures = await advertiser.apply(changes, leaseMs);
  // One that was there before is left to whoever suspends: that withdrawal has a drain.
  const added = changes.filter(({ verb }) => verb === 'add');
  if (added.length === 0 || !isSuspended()) return { changes, failures, undo: [] };
  log.step('suspended in this moment: what was added is taken out again');
  return { changes, failures, undo: added.map(({ place }) => place) };
}

/** The changes that end the drain of addresses. */
export function endDrain(addresses: Iterable<string>): readonly Change[] {
  return Array.from(addresses, (address): Change => ({
    verb: 'end-drain',
    place: drainPlace(address),
  }));
}

/** Drain routes are always on lo, wherever the address was. */
export function drainPlace(address: string): Place {
  return { address, interface: 'lo' };
}

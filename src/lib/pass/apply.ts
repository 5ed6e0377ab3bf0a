import { addressLabel, withoutReturns, type Change } from '../advertise/advertiser.ts';
import type { ServiceAddress } from '../state/instance-state.ts';
import { drainDropped } from './drain.ts';
import { drainAfter, preparesDrain } from './plan-drains.ts';
import type { Applied, Plan } from './facts.ts';
import { KernelError } from '../system/errors.ts';
import type { PassPorts } from './ports.ts';
import { sayUndrained, withdrawAddresses } from './withdraw.ts';

/**
 * Whether a pass is what takes a healthy instance out as planned. Whoever suspends writes that
 * down, and then waits for the lock: a pass that is under way, and sees the suspension, withdraws
 * before. Without a drain it would lose what is still on its way.
 */
function leavesAsPlanned(
  { session, options, before, decision, changes, verdict, service }: Plan,
  { advertiser }: Pick<PassPorts, 'advertiser'>,
): boolean {
  return (
    before?.health.status === 'up' &&
    verdict.status !== 'down' &&
    service.news === undefined &&
    decision.suspensionIds.some((id) => !before.suspensionIds.includes(id)) &&
    changes.some(({ verb }) => verb === 'remove') &&
    session.mayWrite &&
    options.drainMs > 0 &&
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
  plan: Plan,
  suspended: () => boolean,
  ports: PassPorts,
): Promise<Applied> {
  const { session, options, decision } = plan;
  session.requireLock();
  if (preparesDrain(plan)) await prepareDrain(ports);
  const { before, changes } = await drainDropped(plan, ports);
  const planned = before !== undefined && leavesAsPlanned(plan, ports);
  const own = new Set(options.places.map(({ address }) => address));
  const leaves = ({ verb, place }: Change): boolean => verb === 'remove' && own.has(place.address);
  const others = planned ? changes.filter((change) => !leaves(change)) : changes;
  const { hasEndedSince } = plan.service;
  const reconciled = await reconcile(others, options.leaseMs, suspended, hasEndedSince, ports);
  const outcome = { ...reconciled, failures: sayUndrained(reconciled.failures, ports.log) };
  sayDropped(outcome, own, ports);
  const drain = drainAfter(before, outcome.changes, outcome.failures);
  if (outcome.undo.length > 0) return undo(plan, { ...outcome, drain }, ports);
  if (!planned) return { ...outcome, drain };
  const state = { ...before, drain, suspensionIds: [...decision.suspensionIds] };
  const withdrawal = await withdrawAddresses(session, state, options.places, options, ports);
  return { changes, failures: outcome.failures, drain: withdrawal.state.drain };
}

/**
 * Takes out again what was added while somebody suspended the instance: clients may have come by
 * then, so it is drained as in any planned withdrawal. Where the service ended nobody would answer.
 */
async function undo(
  { session, before, decision, options, service }: Plan,
  outcome: Reconciled & Applied,
  ports: PassPorts,
): Promise<Applied> {
  const { drain } = outcome;
  const removals = outcome.undo.map((place): Change => ({ verb: 'remove', place }));
  const changes = [...outcome.changes, ...removals];
  if (before === undefined || !session.mayWrite) {
    const failures = await ports.advertiser.apply(removals, options.leaseMs);
    return { changes, failures: [...outcome.failures, ...failures], drain };
  }
  const state = { ...before, drain, health: decision.health };
  const leaving = { drainMs: service.hasEndedSince() ? 0 : options.drainMs };
  const withdrawal = await withdrawAddresses(session, state, outcome.undo, leaving, ports);
  return { changes, failures: outcome.failures, drain: withdrawal.state.drain };
}

/** An instance works without it: where it cannot be made, a later pass warns. */
async function prepareDrain({ advertiser, log }: PassPorts): Promise<void> {
  try {
    await advertiser.prepareDrain();
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    log.step(error.message);
  }
}

function sayDropped(
  { changes, failures }: Reconciled,
  own: ReadonlySet<string>,
  { log }: Pick<PassPorts, 'log'>,
): void {
  const stuck = new Set(failures.map(({ change }) => change));
  for (const change of changes) {
    if (change.verb !== 'remove' || own.has(change.place.address) || stuck.has(change)) continue;
    log.notice(
      `withdrew ${addressLabel(change.place)}: the configuration does not name it any more`,
    );
  }
}

/** What came of changes, with what was added while somebody suspended the instance: it has to go. */
interface Reconciled extends Omit<Applied, 'drain'> {
  readonly undo: readonly ServiceAddress[];
}

/**
 * Applies the changes of a pass. Whoever suspends an instance writes that down first and takes the
 * lock later; so it is looked for just before anything is added, and once more behind it. What the
 * addition needs is loaded before the look, so that the two are next to each other.
 *
 * @param isSuspended looks at the suspensions, and whether the service ended, as it is in this
 *   moment; also true when that cannot be told
 * @param hasEnded the latter alone
 */
async function reconcile(
  planned: readonly Change[],
  leaseMs: number | undefined,
  isSuspended: () => boolean,
  hasEnded: () => boolean,
  { advertiser, log, prepareChange }: Pick<PassPorts, 'advertiser' | 'log' | 'prepareChange'>,
): Promise<Reconciled> {
  const adds = (change: Change): boolean => change.verb === 'add' || change.verb === 'renew';
  let changes = planned;
  if (planned.some(adds)) await prepareChange();
  if (planned.some(adds) && isSuspended()) {
    log.step('suspended or ended in this moment: nothing is added');
    changes = withoutReturns(planned);
  }
  if (changes.length === 0) return { changes, failures: [], undo: [] };
  for (const change of changes) log.step(`${change.verb} ${addressLabel(change.place)}`);
  const applied = await advertiser.apply(changes, leaseMs);
  // One that was there before is left to whoever suspends: that withdrawal has a drain. Where the
  // service ended, systemd has taken it out, before a renewal put it in again or behind an addition,
  // which then seems to have failed.
  const again = hasEnded();
  const failures = again ? applied.filter(({ change }) => !adds(change)) : applied;
  const added = changes.filter(({ verb }) => verb === 'add' || (verb === 'renew' && again));
  if (added.length === 0 || !isSuspended()) return { changes, failures, undo: [] };
  log.step('suspended or ended in this moment: what was added is taken out again');
  return { changes, failures, undo: added.map(({ place }) => place) };
}

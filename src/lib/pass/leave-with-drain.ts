import type { Change } from '../advertise/advertiser.ts';
import { usableState } from './assess.ts';
import { drainAfter } from './drain-changes.ts';
import type { Examination } from './examine.ts';
import type { PassOptions } from './pass-options.ts';
import type { PassPorts } from './pass-ports.ts';
import { reconcile, type Outcome, type Reconciled } from './reconcile.ts';
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
  const before = usableState(session.reading);
  const { changes, assessment } = examined;
  const planned = before !== undefined && leavesAsPlanned(session, examined, options, ports);
  const own = new Set(options.places.map(({ address }) => address));
  const leaves = ({ verb, place }: Change): boolean => verb === 'remove' && own.has(place.address);
  const others = planned ? changes.filter((change) => !leaves(change)) : changes;
  const outcome = await reconcile(others, options.leaseMs, suspended, ports);
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

import { placeLabel, type Change, type Failure } from '../advertise/advertiser.ts';
import type { Place } from '../state/instance-state.ts';
import type { PassPorts } from './pass-ports.ts';

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

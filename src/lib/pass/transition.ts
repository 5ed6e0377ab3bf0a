import { placeLabel, type Change } from '../advertise/advertiser.ts';
import type { StateGap } from '../state/state-file.ts';
import type { ActiveSuspension } from '../state/suspension-record.ts';
import { isAdvertising, type PassFacts } from './next-state.ts';
import type { Transition } from './pass-report.ts';
import { describeSuspension } from './suspension-reading.ts';

/** The change of what the network sees, if this pass made or found one. Pure. */
export function transitionOf(
  facts: PassFacts,
  suspensions: readonly ActiveSuspension[],
): Transition | undefined {
  const advertising = isAdvertising(facts);
  if (advertising === facts.wasAdvertising) return undefined;
  const where = facts.options.places.map(placeLabel).join(', ');
  const { verdict, assessment } = facts;
  if (advertising) {
    return {
      to: 'up',
      reason: 'service up',
      message: `up: advertising ${where}: ${verdict.detail}`,
    };
  }
  if (suspensions.length > 0) {
    const by = suspensions.map(describeSuspension).join(', ');
    return {
      to: 'down',
      reason: 'suspended',
      message: `down: withdrew ${where}: suspended by ${by}`,
    };
  }
  if (verdict.status === 'down' && assessment.health.status === 'down') {
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
export function repairs(changes: readonly Change[], facts: PassFacts): readonly string[] {
  if (!facts.wasAdvertising) return [];
  const known = new Set(facts.before?.places.map(placeLabel));
  return changes
    .filter(({ verb, place }) => verb === 'add' && facts.present.has(place.address))
    .map(({ place }) => placeLabel(place))
    .map((label) => (known.has(label) ? `put ${label} back, which was missing` : `added ${label}`));
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

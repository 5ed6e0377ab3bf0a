import { initialHealth, type Health, type InstanceState } from '../state/instance-state.ts';
import type { StateReading } from '../state/state-file.ts';
import { mayAdvertise } from '../state/suspension-rules.ts';
import type { Verdict } from '../probe/probe.ts';
import type { Moment } from '../system/clock.ts';
import { decide, healthAfterWithdrawal, type DecisionOptions } from './decide.ts';

/** What is known of the suspensions of an instance. */
export type SuspensionView =
  | { readonly known: true; readonly ids: readonly string[] }
  /** They cannot be read: nothing may be added, and nothing is withdrawn for it. */
  | { readonly known: false };

export interface Assessment {
  readonly health: Health;
  readonly advertise: boolean;
  /** Only a pass that saw the service work adds or renews. */
  readonly mayAdd: boolean;
  readonly suspensionIds: readonly string[];
}

export interface Circumstances {
  readonly reading: StateReading;
  readonly verdict: Verdict;
  readonly suspensions: SuspensionView;
  /** Lock or state cannot be written: one failure is enough, and nothing is added. */
  readonly degraded: boolean;
  /** Whether the kernel shows one of the service addresses. */
  readonly present: boolean;
  /** Whether an address would be gone before the next pass comes. */
  readonly leaseTooShort: boolean;
  readonly options: DecisionOptions;
  readonly now: Moment;
}

/** What a pass makes of all it knows. Pure. */
export function assess(known: Circumstances): Assessment {
  const { verdict, degraded, options, now } = known;
  const state = usableState(known.reading);
  const former = state?.suspensionIds ?? [];
  const suspensionIds = known.suspensions.known ? known.suspensions.ids : former;
  const suspendedAnew = suspensionIds.some((id) => !former.includes(id));
  // Without a state, what the kernel shows is what was decided: losing it must not flap a service.
  // So it is where the state is older than its lease, and the addresses are there all the same.
  const { reading } = known;
  const isAged = reading.kind === 'gap' && reading.aged !== undefined;
  const kept = isAged && known.present ? reading.stale?.health : undefined;
  const before = kept ?? state?.health ?? initialHealth(known.present ? 'up' : 'down', now);
  const base = suspendedAnew ? healthAfterWithdrawal(before, now.bootMs) : before;
  const effective = degraded ? { ...options, fall: 1 } : options;
  const health = decide(base, verdict.status, effective, now.bootMs);
  return {
    health,
    advertise: health.status === 'up' && mayAdvertise(suspensionIds),
    mayAdd: verdict.status === 'up' && !degraded && known.suspensions.known && !known.leaseTooShort,
    suspensionIds,
  };
}

/** The state to go by, if there is one. */
export function usableState(reading: StateReading): InstanceState | undefined {
  return reading.kind === 'valid' ? reading.state : reading.aged;
}

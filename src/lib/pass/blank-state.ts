import { initialHealth, type InstanceState, type Place } from '../state/instance-state.ts';
import type { Moment } from '../system/clock.ts';

/** The state of an instance of which nothing is known but its places and what the kernel shows. */
export function blankState(
  known: Pick<InstanceState, 'instance' | 'source' | 'kind'> & {
    readonly places: readonly Place[];
  },
  present: boolean,
  now: Moment,
): InstanceState {
  return {
    version: 1,
    instance: known.instance,
    bootId: now.bootId,
    source: known.source,
    kind: known.kind,
    places: [...known.places],
    health: initialHealth(present ? 'up' : 'down', now),
    advertising: present,
    advertisingChangedAtMs: now.bootMs,
    transitions: 0,
    leaseFromMs: null,
    prefixRoutes: false,
    leaseMs: null,
    lastPass: null,
    intervalMs: null,
    deadlineMs: 0,
    fall: 1,
    rise: 1,
    suspensionIds: [],
    drain: null,
    warned: [],
  };
}

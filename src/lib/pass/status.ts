import { lockHolder } from '../state/lock.ts';
import type { InstanceState, Place } from '../state/instance-state.ts';
import { readState, type StateGap } from '../state/state-file.ts';
import { instancePaths } from '../state/state-folder.ts';
import type { ActiveSuspension } from '../state/suspension-record.ts';
import type { Moment } from '../system/clock.ts';
import { inconsistencies } from './inconsistencies.ts';
import type { NodeContext } from './node-context.ts';
import { readSuspensions } from './suspension-reading.ts';

/** What is known of an instance in this moment. */
export interface InstanceStatus {
  readonly instance: string;
  readonly now: Moment;
  /** undefined: there is no state that could be believed. */
  readonly state: InstanceState | undefined;
  readonly gap: StateGap | undefined;
  /** What the kernel shows. */
  readonly places: readonly (Place & { readonly present: boolean })[];
  readonly suspensions: readonly ActiveSuspension[];
  /** The pid of a pass that is under way. */
  readonly passUnderWay: number | undefined;
  /** How long the kernel still keeps the addresses; undefined: out, or for ever in. */
  readonly leaseLeftMs: number | undefined;
  /** What does not fit together, each in a few words. */
  readonly inconsistent: readonly string[];
}

/**
 * Looks at an instance: state, kernel and suspensions, without its lock.
 *
 * @throws KernelError when the kernel cannot be read
 */
export async function readStatus(instance: string, context: NodeContext): Promise<InstanceStatus> {
  const { clock, ownUid } = context;
  const paths = instancePaths(context.stateDir, instance);
  const reading = readState(paths.state, clock.now());
  const suspended = readSuspensions({ ...context, instance }, clock, ownUid);
  // Old state still tells what to look for in the kernel.
  const known = reading.kind === 'valid' ? reading.state : reading.stale;
  const view =
    known === undefined
      ? { present: new Set<string>(), obstacle: undefined }
      : await context.advertiserFor(known.kind).read(known.places);
  const now = clock.now();
  const state = reading.kind === 'valid' || reading.gap === 'expired' ? known : undefined;
  const status = {
    instance,
    now,
    state,
    gap: reading.kind === 'gap' ? reading.gap : undefined,
    places: (known?.places ?? []).map((place) => ({
      ...place,
      present: view.present.has(place.address),
    })),
    suspensions: suspended.active,
    passUnderWay: lockHolder(paths.lock)?.pid,
    leaseLeftMs: leaseLeft(state, now),
  };
  const unreadable = suspended.error === undefined ? [] : [suspended.error.message];
  const obstacle = view.obstacle === undefined ? [] : [view.obstacle];
  return { ...status, inconsistent: [...unreadable, ...obstacle, ...inconsistencies(status)] };
}

function leaseLeft(state: InstanceState | undefined, now: Moment): number | undefined {
  if (state === undefined || state.leaseFromMs === null || state.leaseMs === null) return undefined;
  return Math.max(0, state.leaseFromMs + state.leaseMs - now.bootMs);
}

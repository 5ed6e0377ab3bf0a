import { existsSync } from 'node:fs';
import { addressLabel } from '../advertise/advertiser.ts';
import type { KnownConfiguration } from '../options/configured-instances.ts';
import { readSuspensions } from '../pass/read-suspensions.ts';
import { gapMessage } from '../pass/report.ts';
import { latestEndOrNone } from '../pass/service-end.ts';
import type { InstanceState, ServiceAddress } from '../state/instance-state.ts';
import { lockHolder } from '../state/lock.ts';
import type { ServiceEnd } from '../state/service-end.ts';
import { knownState, readState, type StateGap } from '../state/state-file.ts';
import { instancePaths } from '../state/state-folder.ts';
import type { ActiveSuspension } from '../state/suspension-record.ts';
import type { Moment } from '../system/clock.ts';
import { formatDuration } from '../system/duration.ts';
import { readPassUnits } from '../system/systemd-units.ts';
import type { NodeContext } from './node-context.ts';
import { whySilent } from './silence.ts';

/** What is known of an instance in this moment. */
export interface InstanceStatus {
  readonly instance: string;
  readonly now: Moment;
  /** undefined: there is no state that could be believed. */
  readonly state: InstanceState | undefined;
  readonly gap: StateGap | undefined;
  /** What the kernel shows. */
  readonly places: readonly (ServiceAddress & { readonly present: boolean })[];
  /** The addresses that are on the drain interface, on their way out. */
  readonly moved: readonly ServiceAddress[];
  /** How long the node still answers on after a planned withdrawal; 0: nothing is drained. */
  readonly drainLeftMs: number;
  readonly suspensions: readonly ActiveSuspension[];
  /** The pid of a pass that is under way. */
  readonly passUnderWay: number | undefined;
  /** How long the kernel still keeps the addresses; undefined: out, or for ever in. */
  readonly leaseLeftMs: number | undefined;
  /** How the unit of its service ended last; undefined: nothing is noted. */
  readonly serviceEnd: ServiceEnd | undefined;
  /** Whether no pass has come since boot, and nothing is known to hinder it. */
  readonly neverRan: boolean;
  /** What does not fit together, each in a few words. */
  readonly inconsistent: readonly string[];
}

/**
 * Looks at instances. Where one leaves no state, or no passes come any more, systemd is asked why.
 *
 * @param configurations of this node, whether or not their passes ever ran
 * @throws KernelError when the kernel cannot be read
 */
export async function readStatuses(
  instances: readonly string[],
  configurations: readonly KnownConfiguration[],
  context: NodeContext,
): Promise<readonly InstanceStatus[]> {
  const statuses = await Promise.all(instances.map((name) => readStatus(name, context)));
  const silent = statuses.filter(isSilent).map(({ instance }) => instance);
  if (silent.length === 0) return statuses;
  const units = await readPassUnits(context.run, silent);
  return statuses.map((status) => {
    const { instance, state } = status;
    if (!isSilent(status)) return status;
    const unit = units.get(instance);
    const configuration = configurations.find((file) => file.instance === instance);
    const sourceIsGone = typeof state?.source === 'string' && !existsSync(state.source);
    const why = whySilent(instance, state !== undefined, configuration, unit, sourceIsGone);
    return why === undefined
      ? status
      : {
          ...status,
          neverRan:
            status.gap === 'missing' &&
            configuration?.problem === undefined &&
            unit?.failure === undefined,
          inconsistent: [why, ...status.inconsistent],
        };
  });
}

/** Whether no pass leaves a state: none ever did, or none does any more. */
function isSilent({ gap, state, now, suspensions }: InstanceStatus): boolean {
  if (state === undefined) return gap === 'missing' && suspensions.length === 0;
  return gap === 'expired' || isLate(state, now);
}

/**
 * Looks at an instance: state, kernel and suspensions, without its lock.
 *
 * @throws KernelError when the kernel cannot be read
 */
async function readStatus(instance: string, context: NodeContext): Promise<InstanceStatus> {
  const { clock, ownUid } = context;
  const paths = instancePaths(context.stateDir, instance);
  const reading = readState(paths.state, clock.now());
  const suspended = readSuspensions({ ...context, instance }, clock, ownUid);
  // Old state still tells what to look for in the kernel.
  const known = knownState(reading);
  const advertiser = context.advertiserFor(known?.kind ?? 'address', known?.drainInterface ?? null);
  const view = await advertiser.read(known?.places ?? []);
  const { drainInterface = '' } = advertiser;
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
    moved: (known?.places ?? [])
      .filter(({ address }) => view.moved.has(address))
      .map(({ address }) => ({ address, interface: drainInterface })),
    drainLeftMs: Math.max(0, (state?.drain?.untilMs ?? 0) - now.bootMs),
    suspensions: suspended.active,
    passUnderWay: lockHolder(paths.lock)?.pid,
    leaseLeftMs: leaseLeft(state, now),
    serviceEnd: latestEndOrNone(paths.ended),
    neverRan: false,
  };
  const unreadable = suspended.error === undefined ? [] : [suspended.error.message];
  const obstacle = view.obstacle === undefined ? [] : [view.obstacle];
  return { ...status, inconsistent: [...unreadable, ...obstacle, ...inconsistencies(status)] };
}

function leaseLeft(state: InstanceState | undefined, now: Moment): number | undefined {
  if (state === undefined || state.leaseFromMs === null || state.leaseMs === null) return undefined;
  return Math.max(0, state.leaseFromMs + state.leaseMs - now.bootMs);
}

/** A pass this late means that its timer is dead, not that it is slow. */
const LATE_INTERVALS = 3;
const LEEWAY_MS = 5000;

/** What does not fit together in an instance's status: what an operator has to look at. Pure. */
export function inconsistencies(status: Omit<InstanceStatus, 'inconsistent'>): readonly string[] {
  const { state, gap, suspensions } = status;
  const found: string[] = [];
  // One that is suspended before its first pass is as somebody wants it.
  const isAwaited = gap === 'missing' && suspensions.length > 0;
  if (gap !== undefined && !isAwaited) found.push(gapMessage(gap).split(':')[0] ?? '');
  for (const { holder } of suspensions.filter(({ unreadable }) => unreadable)) {
    found.push(`the suspension by ${holder} cannot be read: it counts`);
  }
  if (state === undefined) return found;
  return [
    ...found,
    ...latePass(state, status),
    ...misplaced(state, status),
    ...lateDrain(state, status),
  ];
}

/** Whether passes came, and come no more. */
export function isLate(state: InstanceState, now: InstanceStatus['now']): boolean {
  return latePass(state, { now }).length > 0;
}

function latePass(state: InstanceState, { now }: Pick<InstanceStatus, 'now'>): readonly string[] {
  if (state.lastPass === null) return [];
  const ageMs = now.bootMs - state.lastPass.atMs;
  const limitMs = LATE_INTERVALS * (state.intervalMs ?? 0) + state.deadlineMs + LEEWAY_MS;
  if (state.intervalMs === null || ageMs <= limitMs) return [];
  return [
    `no pass for ${formatDuration(ageMs)}, although one came every ${formatDuration(state.intervalMs)}`,
  ];
}

function misplaced(
  state: InstanceState,
  { places, suspensions, leaseLeftMs }: Omit<InstanceStatus, 'inconsistent'>,
): readonly string[] {
  const wanted = state.health.status === 'up' && suspensions.length === 0;
  if (!wanted) {
    const why = suspensions.length > 0 ? 'suspended' : 'down';
    return places
      .filter(({ present }) => present)
      .map((place) => `${addressLabel(place)} is present although it is ${why}`);
  }
  if (isComingBack(state, suspensions)) return [];
  const why = leaseLeftMs === 0 ? ', its lease ran out' : '';
  return places
    .filter(({ present }) => !present && state.lastPass?.status === 'up')
    .map((place) => `${addressLabel(place)} is absent although it is up${why}`);
}

/**
 * Whether the last pass still saw a suspension that has ended since: the next one puts the addresses
 * back, and whether it comes is looked at elsewhere.
 */
export function isComingBack(
  state: InstanceState,
  suspensions: InstanceStatus['suspensions'],
): boolean {
  return suspensions.length === 0 && state.suspensionIds.length > 0;
}

function lateDrain(state: InstanceState, { now }: Pick<InstanceStatus, 'now'>): readonly string[] {
  if (state.drain === null || now.bootMs <= state.drain.untilMs + LEEWAY_MS) return [];
  return [`the drain of ${state.drain.addresses.join(', ')} is over, but not cleaned up`];
}

import { usableState } from '../state/state-file.ts';
import type { Advertiser, Change, Failure, KernelView } from '../advertise/advertiser.ts';
import { down, unknown, type Verdict } from '../probe/probe.ts';
import type { InstanceState, ServiceAddress } from '../state/instance-state.ts';
import type { ServiceEnd } from '../state/service-end.ts';
import type { Moment } from '../system/clock.ts';
import { type Decision } from './decide.ts';
import type { PassOptions, PassPorts } from './ports.ts';
import { readSuspensions, type SuspensionReading } from './read-suspensions.ts';
import { viewServiceEnd, type ServiceEndView } from './service-end.ts';
import type { Session } from './session.ts';

/** What a pass knows once its probe has answered, before it changes anything. */
export interface Facts {
  readonly session: Session;
  readonly options: PassOptions;
  readonly kind: Advertiser['kind'];
  /** The state as the last pass left it, where it can be used. */
  readonly before: InstanceState | undefined;
  /** Whether the node advertised when the last pass ended, or before this one if that is lost. */
  readonly wasAdvertising: boolean;
  readonly verdict: Verdict;
  /** What the kernel shows of the service addresses. */
  readonly view: KernelView;
  /** What the configuration does not name any more, whether or not it is there. */
  readonly dropped: readonly ServiceAddress[];
  /** That of it which is there. */
  readonly leftOver: readonly ServiceAddress[];
  readonly suspended: SuspensionReading;
  /** What became of the unit of its service. */
  readonly service: ServiceEndView;
  readonly now: Moment;
}

/** That, with what follows from it. */
export interface Plan extends Facts {
  readonly decision: Decision;
  readonly changes: readonly Change[];
  /** Whether the changes set every lease anew. */
  readonly renews: boolean;
}

/** What came of the changes of a pass. */
export interface Applied {
  readonly changes: readonly Change[];
  readonly failures: readonly Failure[];
  /** What is to be drained from now on. */
  readonly drain: InstanceState['drain'];
}

/** All that a pass knows at its end; `changes` are those that were made. */
export interface Outcome extends Plan, Applied {
  /** The addresses that the kernel shows now. */
  readonly present: ReadonlySet<string>;
  readonly leaseFromMs: number | null;
  /** What is doubtful now, and was said. */
  readonly warned: readonly string[];
  readonly durationMs: number;
}

/**
 * Looks at kernel and suspensions.
 *
 * @param probed what the probe said
 * @param endBefore what was noted of the service's end before the probe began
 * @param dropped places that the configuration does not name any more
 * @throws KernelError when the kernel cannot be read
 */
export async function gatherFacts(
  session: Session,
  probed: Verdict,
  endBefore: ServiceEnd | undefined,
  dropped: readonly ServiceAddress[],
  options: PassOptions,
  { advertiser, clock, ownUid }: Pick<PassPorts, 'advertiser' | 'clock' | 'ownUid'>,
): Promise<Facts> {
  const view = await advertiser.read(options.places);
  const leftOver = await addressesThere(advertiser, dropped);
  const before = usableState(session.reading);
  const service = viewServiceEnd(session.paths.ended, endBefore, before);
  const shown = options.places.some(({ address }) => view.present.has(address));
  return {
    session,
    options,
    kind: advertiser.kind,
    before,
    wasAdvertising: before?.advertising ?? shown,
    verdict: judge(probed, view.obstacle, service),
    view,
    dropped,
    leftOver,
    suspended: readSuspensions(options, clock, ownUid),
    service,
    now: clock.now(),
  };
}

function judge(
  probed: Verdict,
  obstacle: string | undefined,
  { news, voidsProbe }: ServiceEndView,
): Verdict {
  // Without its interface the node can neither advertise nor judge: that is not the service's fault.
  if (obstacle !== undefined) return unknown('no-interface', obstacle);
  // Whoever answered may be the one that is dead by now.
  return voidsProbe && news !== undefined ? down('ended', news.words) : probed;
}

/**
 * Those of the places that the kernel shows. Read apart from an instance's own: a view tells
 * addresses only, and the same one may have moved from one interface to another.
 */
export async function addressesThere(
  advertiser: Pick<Advertiser, 'read'>,
  places: readonly ServiceAddress[],
): Promise<readonly ServiceAddress[]> {
  if (places.length === 0) return [];
  const { present } = await advertiser.read(places);
  return places.filter(({ address }) => present.has(address));
}

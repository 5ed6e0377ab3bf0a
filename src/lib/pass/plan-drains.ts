import type { Change, Failure } from '../advertise/advertiser.ts';
import { claimOwner } from '../state/claims.ts';
import type { InstanceState } from '../state/instance-state.ts';
import { KernelError, messageOf } from '../system/errors.ts';
import { endDrain, endMove, type DrainState } from './drain.ts';
import type { Facts, Plan } from './facts.ts';
import type { Advice, PassPorts } from './ports.ts';

/**
 * Whether a pass has to see to the drain interface: before it adds anything, and once for an
 * instance that advertises already.
 */
export function preparesDrain({ decision, options, before, changes }: Plan): boolean {
  if (!decision.advertise || !decision.mayAdd || options.drainMs === 0) return false;
  const isNew = before?.drainInterface !== (options.drainInterface ?? '');
  return isNew || changes.some(({ verb }) => verb === 'add' || verb === 'renew');
}

/** Where a pass could not make the drain interface: how the instance will leave, then. */
export function drainAdvice(
  { decision, options: { drainInterface }, before }: Plan,
  advertiser: PassPorts['advertiser'],
): readonly Advice[] {
  const wasTried = drainInterface !== undefined && before?.drainInterface === drainInterface;
  if (!decision.advertise || !wasTried || advertiser.hasDrainInterface()) return [];
  const message =
    `there is no interface ${drainInterface}, and it cannot be made: a planned withdrawal is told to ` +
    `the network at once, and BIND, or UDP over IPv6, answers nothing meanwhile (drain-interface = "" accepts that)`;
  return [{ key: 'no-drain-interface', message }];
}

/**
 * What this pass has to end: drains whose time is over, those of a service that was seen down, those
 * of an instance that comes back, and, where no state tells which there are, all that are ours or
 * nobody's.
 *
 * @param planned what the pass changes besides
 * @param returning whether it puts the addresses back
 */
export async function changesForDrains(
  facts: Facts,
  planned: readonly Change[],
  returning: boolean,
  ports: Pick<PassPorts, 'advertiser' | 'log'>,
): Promise<readonly Change[]> {
  const { session, options, before: state, view } = facts;
  const { advertiser } = ports;
  if (!advertiser.canDrain) return [];
  const own = new Set(options.places.map(({ address }) => address));
  const added = new Set(
    planned.filter(({ verb }) => verb === 'add').map(({ place }) => place.address),
  );
  const endMoves = (addresses: readonly string[]): readonly Change[] =>
    endMove(
      addresses.filter((address) => view.moved.has(address) && !added.has(address)),
      advertiser.drainInterface,
    );
  if (state === undefined) {
    const isOurs = (address: string): boolean =>
      own.has(address) || claimOwner(session.paths.claims, address) === undefined;
    const routes = (await leftDrainRoutes(ports)).filter(isOurs);
    const back = [...added].filter((address) => view.moved.has(address));
    return [
      ...endMoves([...view.moved].filter(isOurs)),
      ...endDrain(new Set([...routes, ...back])),
    ];
  }
  const { drain } = state;
  const drained = drain?.addresses ?? [];
  const isOver = drain !== null && isDrainOver(drain, facts);
  const onInterface = new Set(drain === null || isOver || !mayStay(drain, facts) ? [] : drained);
  // What is on both interfaces would stay announced; what nobody drains has no business there.
  const strays = [...new Set([...own, ...drained])].filter(
    (address) => view.present.has(address) || !onInterface.has(address),
  );
  // One that the configuration gave up goes on, whatever becomes of the others.
  const back = returning
    ? [...own].filter((address) => drained.includes(address) || view.moved.has(address))
    : [];
  return [...endMoves(strays), ...endDrain(new Set(isOver ? [...drained, ...back] : back))];
}

/** A service that was seen down answers nobody: what it leaves is for others to answer. */
function isDrainOver(drain: DrainState, { now, verdict }: Facts): boolean {
  return now.bootMs >= drain.untilMs || verdict.status === 'down';
}

/** The kernel counts whole seconds, and is a little late. */
const LATE_MS = 1000;

/** Whether the kernel is to end the first half by itself. */
function mayStay({ movedUntilMs, untilMs }: DrainState, { now }: Facts): boolean {
  return now.bootMs <= (movedUntilMs ?? untilMs) + LATE_MS;
}

async function leftDrainRoutes({
  advertiser,
  log,
}: Pick<PassPorts, 'advertiser' | 'log'>): Promise<readonly string[]> {
  try {
    return [...(await advertiser.drained())];
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    log.warning(`cannot look for drain routes that were left behind: ${messageOf(error)}`);
    return [];
  }
}

/** What is still to be drained, or to be removed, after the changes of a pass. Pure. */
export function drainAfter(
  before: InstanceState | undefined,
  changes: readonly Change[],
  failures: readonly Failure[],
): InstanceState['drain'] {
  const drain = before?.drain ?? null;
  if (drain === null || !changes.some(({ verb }) => verb === 'end-drain')) return drain;
  const stuck = new Set(failures.map(({ change }) => change));
  const ended = new Set(
    changes
      .filter((change) => change.verb === 'end-drain' && !stuck.has(change))
      .map(({ place }) => place.address),
  );
  const addresses = drain.addresses.filter((address) => !ended.has(address));
  return addresses.length === 0 ? null : { ...drain, addresses };
}

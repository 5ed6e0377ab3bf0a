import { addressLabel, type Advertiser } from '../advertise/advertiser.ts';
import { claim, claimedAddresses, claimOwner, releaseClaim } from '../state/claims.ts';
import type { ServiceAddress } from '../state/instance-state.ts';
import { acquireLock } from '../state/lock.ts';
import { knownState, readState, type StateReading } from '../state/state-file.ts';
import { instancePaths } from '../state/state-folder.ts';
import { dropFromWithdrawFile } from '../state/withdraw-file.ts';
import type { Clock } from '../system/clock.ts';
import { ConfigurationError, StateError } from '../system/errors.ts';
import { keepHandedOver, takeGivenUp, type HandOverPorts } from './hand-over.ts';
import type { PassOptions } from './ports.ts';
import type { Session } from './session.ts';

/** Where a run that names no address looks for what was claimed. */
const DEFAULT_INTERFACE = 'lo';

const KINDS = { address: 'addresses', route: 'routes' } as const;

/**
 * Makes sure that the places are this instance's and nobody else's. Where the claims cannot be read
 * or written, the session is a degraded one from here on: like a full disk, that must not keep a
 * dead service advertised.
 *
 * @returns the places that are to be withdrawn, and the session to go on with
 * @throws ConfigurationError as `droppedAddresses` and `claimAddresses`
 */
export async function takeOwnership(
  session: Session,
  options: PassOptions,
  ports: HandOverPorts,
): Promise<{ readonly dropped: readonly ServiceAddress[]; readonly session: Session }> {
  try {
    const given = droppedAddresses(session, options, ports.advertiser.kind);
    const dropped = keepHandedOver(given, session, options, ports);
    const inherited = await claimAddresses(session, options, ports);
    return { dropped: [...dropped, ...inherited], session };
  } catch (error) {
    if (!(error instanceof StateError) || options.mode === 'dry-run') throw error;
    const degraded = session.degraded ?? error;
    return { dropped: [], session: { ...session, degraded, mayWrite: false } };
  }
}

/**
 * Whether a configuration file names no place any more, although its instance still manages some.
 * Then there is nothing to advertise, but something to take out.
 */
export function gaveUpAll(
  options: Pick<PassOptions, 'source' | 'mode' | 'instance' | 'stateDir'>,
  clock: Clock,
): boolean {
  const { source, mode, instance, stateDir } = options;
  if (source === null || mode !== 'pass') return false;
  const reading = readState(instancePaths(stateDir, instance).state, clock.now());
  const state = knownState(reading);
  return state?.source === source && state.places.length > 0;
}

/**
 * The places that an instance managed so far and does not name any more.
 *
 * @returns what is to be withdrawn: the same configuration file gave it up
 * @throws ConfigurationError when this run is not the one that may give places up: other flags,
 *   another file of the same name, or another kind of probe under the same instance name
 */
export function droppedAddresses(
  session: Session,
  options: PassOptions,
  kind: Advertiser['kind'],
): readonly ServiceAddress[] {
  const { reading, paths } = session;
  const state = knownState(reading);
  if (state === undefined) {
    // The state is lost; the claims still tell the addresses, and they were on this interface.
    const device = options.places[0]?.interface ?? (kind === 'address' ? DEFAULT_INTERFACE : null);
    if (device === null || !session.mayWrite) return [];
    const named = new Set(options.places.map((place) => place.address));
    return claimedAddresses(paths.claims, options.instance)
      .filter((owned) => !named.has(owned))
      .map((owned) => ({ address: owned, interface: device }));
  }
  // A route to another interface is the same route, which moves; an address there is another one.
  const identity = (place: ServiceAddress): string =>
    kind === 'route' ? place.address : addressLabel(place);
  const named = new Set(options.places.map(identity));
  const dropped = state.places.filter((place) => !named.has(identity(place)));
  if (options.mode === 'withdraw') return dropped;
  if (state.kind !== kind) {
    throw new ConfigurationError(
      `instance '${options.instance}' manages ${KINDS[state.kind]}, not ${KINDS[kind]}: give one of the two another name (-i)`,
    );
  }
  if (dropped.length > 0 && (options.source === null || options.source !== state.source)) {
    throw new ConfigurationError(
      `instance '${options.instance}' manages ${dropped.map(addressLabel).join(', ')}, which this run does not name: ` +
        `name it too, withdraw it first (--withdraw), or give this run another instance name (-i)`,
    );
  }
  return dropped;
}

/**
 * Claims all places of an instance.
 *
 * @returns the places that came with them from an instance that is gone, and are to be withdrawn
 * @throws ConfigurationError when another instance owns one of them
 * @throws StateError when the claims cannot be read or written
 */
export async function claimAddresses(
  session: Session,
  options: PassOptions,
  ports: HandOverPorts,
): Promise<readonly ServiceAddress[]> {
  const inherited: ServiceAddress[] = [];
  for (const place of options.places) {
    let owner = claimOwner(session.paths.claims, place.address);
    if (owner === undefined && session.mayWrite) {
      owner = claim(session.paths.claims, place.address, options.instance);
    }
    if (owner === undefined || owner === options.instance) continue;
    const left = session.mayWrite
      ? await takeGivenUp(owner, place, session, options, ports)
      : undefined;
    inherited.push(...(left ?? []));
    if (left !== undefined) continue;
    if (!session.mayWrite || !(await takeOver(owner, place, session, options, ports))) {
      throw new ConfigurationError(
        `${place.address} belongs to instance '${owner}', so '${options.instance}' must not manage it ` +
          `(name it in one of them only; '${owner}' gives it up with --withdraw)`,
      );
    }
  }
  return inherited;
}

/** Gives up the claims of places. Throws StateError. */
export function releaseAddresses(
  session: Session,
  instance: string,
  places: readonly ServiceAddress[],
): void {
  for (const place of places) releaseClaim(session.paths.claims, place.address, instance);
}

/**
 * Takes a claim over that is void: its owner's last pass is older than its lease, and the address
 * is absent. With the owner's lock held, so that no pass of its is under way.
 */
async function takeOver(
  owner: string,
  place: ServiceAddress,
  session: Session,
  options: PassOptions,
  { clock, log, run, advertiser }: HandOverPorts,
): Promise<boolean> {
  const paths = instancePaths(options.stateDir, owner);
  const isVoid = async (): Promise<boolean> =>
    isAbandoned(readState(paths.state, clock.now())) &&
    !(await advertiser.read([place])).present.has(place.address);
  if (!(await isVoid())) return false;
  const holdMs = 1000;
  const lock = await acquireLock({
    path: paths.lock,
    waitMs: options.lockWaitMs,
    holdMs,
    log,
    run,
  });
  try {
    if (!(await isVoid())) return false;
    dropFromWithdrawFile(paths.withdraw, [place.address]);
    releaseClaim(session.paths.claims, place.address, owner);
    if (claim(session.paths.claims, place.address, options.instance) !== options.instance)
      return false;
    log.notice(`took ${place.address} over from instance '${owner}', which is abandoned`);
    return true;
  } finally {
    lock.release();
  }
}

/**
 * Whether no pass of its comes any more: its state is gone, or older than its lease. A state that
 * cannot be understood does not say so: its owner may be well and of a newer version.
 */
function isAbandoned(reading: StateReading): boolean {
  return reading.kind === 'gap' && ['missing', 'expired', 'other-boot'].includes(reading.gap);
}

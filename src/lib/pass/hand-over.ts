import { dirname } from 'node:path';
import type { ConfiguredInstance } from '../options/configured-instances.ts';
import { claim, claimedAddresses, claimOwner, releaseClaim } from '../state/claims.ts';
import type { InstanceState, ServiceAddress } from '../state/instance-state.ts';
import { acquireLock } from '../state/lock.ts';
import { knownState, usableState, forgetState, readState } from '../state/state-file.ts';
import { instancePaths } from '../state/state-folder.ts';
import { dropFromWithdrawFile } from '../state/withdraw-file.ts';
import { ConfigurationError } from '../system/errors.ts';
import type { PassOptions, PassPorts } from './ports.ts';
import { describeSuspension, readSuspensions } from './read-suspensions.ts';
import type { Session } from './session.ts';
import { addToWithdrawFile } from './withdraw-file.ts';

export type HandOverPorts = Pick<
  PassPorts,
  'clock' | 'log' | 'run' | 'advertiser' | 'configurations' | 'ownUid'
>;

/**
 * Takes an address from the instance that owns it, where that instance's configuration file names it
 * no more, or is gone: two files that swap their addresses, or an instance under a new name. The
 * address stays in the kernel all the while; this pass judges it by its own service.
 *
 * @returns the places that the owner leaves behind and nobody names, which this pass withdraws;
 *   undefined when the owner did not give the address up
 * @throws ConfigurationError while an owner that is gone is suspended; BusyError while its pass runs
 */
export async function takeGivenUp(
  owner: string,
  place: ServiceAddress,
  session: Session,
  options: PassOptions,
  ports: HandOverPorts,
): Promise<readonly ServiceAddress[] | undefined> {
  const state = stateOf(owner, options, ports);
  if (typeof state?.source !== 'string') return undefined; // it runs from flags
  const file = readQuietly(state.source, ports);
  if (file === 'unreadable') return undefined;
  if (file === undefined) return inherit(owner, state, session, options, ports);
  if (!hasGivenUp(file, owner, place, state)) return undefined;
  addToWithdrawFile(session, ports.advertiser.withdrawLines([place]));
  if (!replaceClaim(session, place.address, owner, options.instance)) return undefined;
  ports.log.notice(`took ${place.address} over from instance '${owner}', whose file gave it up`);
  return [];
}

/**
 * The places that an instance's file has given up and that are to be withdrawn: all but those that
 * another file in its folder names by now. The instance of that file owns them already, or gets them
 * here if it works: in either case they stay in the kernel.
 *
 * @param dropped places that the file does not name any more
 */
export function keepHandedOver(
  dropped: readonly ServiceAddress[],
  session: Session,
  options: PassOptions,
  ports: HandOverPorts,
): readonly ServiceAddress[] {
  const { source, instance } = options;
  if (dropped.length === 0 || source === null || !session.mayWrite) return dropped;
  const others = ports.configurations.beside(source);
  return dropped.filter((place) => {
    const next = others.find((other) => other.instance !== instance && names(other, place));
    if (next === undefined) return true;
    const owner = claimOwner(session.paths.claims, place.address);
    if (owner === next.instance) return false;
    if (owner !== instance || options.leaseMs === undefined) return true;
    if (!works(next.instance, options, ports)) return true;
    if (!replaceClaim(session, place.address, instance, next.instance)) return true;
    ports.log.notice(`handed ${place.address} over to instance '${next.instance}'`);
    return false;
  });
}

/** All that an instance had whose file is gone: its addresses, and nothing of its state stays. */
async function inherit(
  owner: string,
  state: InstanceState,
  session: Session,
  options: PassOptions,
  ports: HandOverPorts,
): Promise<readonly ServiceAddress[]> {
  const { log, run } = ports;
  const [suspension] = readSuspensions(
    { ...options, instance: owner },
    ports.clock,
    ports.ownUid,
  ).active;
  if (suspension !== undefined) {
    throw new ConfigurationError(
      `instance '${owner}', whose file ${state.source ?? ''} is gone, is suspended by ${describeSuspension(suspension)}: ` +
        `resume it first (ha-resume ${owner} --everyone)`,
    );
  }
  const paths = instancePaths(options.stateDir, owner);
  const { lock: path, claims } = paths;
  const waitMs = options.lockWaitMs;
  const lock = await acquireLock({ path, waitMs, holdMs: HOLD_MS, log, run });
  try {
    const claimed = new Set(claimedAddresses(claims, owner));
    const inherited = state.places.filter(({ address }) => claimed.has(address));
    addToWithdrawFile(session, ports.advertiser.withdrawLines(inherited));
    for (const address of claimed) replaceClaim(session, address, owner, options.instance);
    forgetState(paths);
    log.notice(
      `took ${[...claimed].join(', ')} over from instance '${owner}', whose file ${state.source ?? ''} is gone`,
    );
    const named = new Set(options.places.map(({ address }) => address));
    return inherited.filter(({ address }) => !named.has(address));
  } finally {
    lock.release();
  }
}

const HOLD_MS = 1000;

/** Whether a file that was changed since its instance's last pass names an address no more. */
function hasGivenUp(
  file: ConfiguredInstance,
  owner: string,
  place: ServiceAddress,
  { lastPass }: InstanceState,
): boolean {
  // What a pass went by after that change was named by its flags, and is not given up.
  const isNews = lastPass === null || file.changedAtMs > lastPass.wallMs;
  return isNews && file.instance === owner && !names(file, place);
}

function names(file: ConfiguredInstance, place: ServiceAddress): boolean {
  return file.places.some(
    (other) => other.address === place.address && other.interface === place.interface,
  );
}

/** Whether an instance's passes come, and saw its service well: then it can answer for an address. */
function works(
  instance: string,
  options: PassOptions,
  { clock, ownUid }: Pick<HandOverPorts, 'clock' | 'ownUid'>,
): boolean {
  const { state: path } = instancePaths(options.stateDir, instance);
  const state = usableState(readState(path, clock.now()));
  const { active } = readSuspensions({ ...options, instance }, clock, ownUid);
  return state?.health.status === 'up' && state.lastPass?.status === 'up' && active.length === 0;
}

function stateOf(
  instance: string,
  { stateDir }: Pick<PassOptions, 'stateDir'>,
  { clock }: Pick<HandOverPorts, 'clock'>,
): InstanceState | undefined {
  const reading = readState(instancePaths(stateDir, instance).state, clock.now());
  return knownState(reading);
}

function readQuietly(
  path: string,
  { configurations }: Pick<HandOverPorts, 'configurations'>,
): ConfiguredInstance | 'unreadable' | undefined {
  try {
    return configurations.read(path);
  } catch (error) {
    if (error instanceof ConfigurationError) return 'unreadable';
    throw error;
  }
}

/** Whether it is the new owner's then; somebody else may be faster. Throws StateError. */
function replaceClaim({ paths }: Session, address: string, from: string, to: string): boolean {
  dropFromWithdrawFile(instancePaths(dirname(paths.state), from).withdraw, [address]);
  releaseClaim(paths.claims, address, from);
  return claim(paths.claims, address, to) === to;
}

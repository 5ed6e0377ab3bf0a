import { latestEndOrNone } from '../pass/service-end.ts';
import { openSession, type Session, type SessionOptions } from '../pass/session.ts';
import { knownState, readState } from '../state/state-file.ts';
import { instancePaths } from '../state/state-folder.ts';
import { BusyError } from '../system/errors.ts';
import type { NodeContext } from './node-context.ts';

/**
 * Opens an instance to take it out. Where nothing of it is in the kernel, a pass that is under way is
 * not waited for: it may hang on a service that is dead, which somebody is about to start again. It
 * finds the suspension before it adds anything, and behind that. Where systemd took it out, what
 * follows from that is left to the next pass.
 *
 * @returns undefined: there is nothing to take out
 * @throws BusyError as `openSession`
 */
export async function openUnlessOut(
  options: SessionOptions,
  context: NodeContext,
): Promise<Session | undefined> {
  const isOut = await isAlreadyOut(options.instance, context);
  if (!isOut) return openSession(options, context);
  if (hasJustEnded(options.instance, context)) return undefined;
  try {
    return await openSession({ ...options, lockWaitMs: 0, inTurn: false }, context);
  } catch (error) {
    if (!(error instanceof BusyError)) throw error;
    return (await isAlreadyOut(options.instance, context))
      ? undefined
      : openSession(options, context);
  }
}

/** Whether the service of an instance ended, and no pass has reckoned with that. */
export function hasJustEnded(instance: string, { stateDir, clock }: NodeContext): boolean {
  const { state: path, ended } = instancePaths(stateDir, instance);
  const state = knownState(readState(path, clock.now()));
  const end = latestEndOrNone(ended);
  return state !== undefined && end !== undefined && end.id !== state.serviceEnd;
}

/** Whether an address of an instance is on neither interface, and none is drained. Not known: no. */
async function isAlreadyOut(instance: string, context: NodeContext): Promise<boolean> {
  const { state: path } = instancePaths(context.stateDir, instance);
  const state = knownState(readState(path, context.clock.now()));
  if (state?.drain !== null) return false;
  const advertiser = context.advertiserFor(state.kind, state.drainInterface);
  const { present, moved } = await advertiser.read(state.places);
  return present.size === 0 && !state.places.some(({ address }) => moved.has(address));
}

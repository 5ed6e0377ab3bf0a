import { openSession, type Session, type SessionOptions } from '../pass/session.ts';
import { knownState, readState } from '../state/state-file.ts';
import { instancePaths } from '../state/state-folder.ts';
import { BusyError } from '../system/errors.ts';
import type { NodeContext } from './node-context.ts';

/**
 * Opens an instance to take it out. Where nothing of it is in the kernel, a pass that is under way is
 * not waited for: it may hang on a service that is dead, which somebody is about to start again. It
 * finds the suspension before it adds anything, and behind that.
 *
 * @returns undefined: there is nothing to take out, and a pass has the lock
 * @throws BusyError as `openSession`
 */
export async function openUnlessOut(
  options: SessionOptions,
  context: NodeContext,
): Promise<Session | undefined> {
  const isOut = await isAlreadyOut(options.instance, context);
  if (!isOut) return openSession(options, context);
  try {
    return await openSession({ ...options, lockWaitMs: 0, inTurn: false }, context);
  } catch (error) {
    if (!(error instanceof BusyError)) throw error;
    return (await isAlreadyOut(options.instance, context))
      ? undefined
      : openSession(options, context);
  }
}

/** Whether neither an address of an instance is there nor a drain of it. Not known: no. */
async function isAlreadyOut(instance: string, context: NodeContext): Promise<boolean> {
  const { state: path } = instancePaths(context.stateDir, instance);
  const state = knownState(readState(path, context.clock.now()));
  if (state === undefined || state.drain !== null) return false;
  const { present } = await context.advertiserFor(state.kind).read(state.places);
  return present.size === 0;
}

import { EventEmitter } from 'node:events';

/** What Node tells of each child process as it is made (Node's diagnostics_channel). */
const CHANNEL = 'child_process';

/**
 * Starts a program by execa, such that a failure of the start is always a rejection or a result.
 *
 * Where the kernel gives Node no pipes to a child (EMFILE, ENFILE), Node returns a child without
 * streams and emits the error in its next tick. execa ends in a TypeError before it listens for
 * that, and an error that nobody listens for ends the process.
 *
 * @param start starts one child, and whatever has to be done with it at once
 * @returns what that promises
 * @throws the system's error, when not even a child could be made
 */
export async function containStart<Result>(start: () => PromiseLike<Result>): Promise<Result> {
  // Only here, for ha-status starts nothing and does without that module.
  const { subscribe, unsubscribe } = process.getBuiltinModule('node:diagnostics_channel');
  let failure: unknown;
  const listen = (message: unknown): void => {
    const child = childOf(message);
    child?.once('error', (error: unknown) => {
      failure = error;
    });
  };
  subscribe(CHANNEL, listen);
  let result: PromiseLike<Result>;
  try {
    result = start();
  } catch (error) {
    await new Promise(setImmediate); // by then Node has told
    throw failure ?? error;
  } finally {
    unsubscribe(CHANNEL, listen);
  }
  return await result;
}

function childOf(message: unknown): EventEmitter | undefined {
  if (typeof message !== 'object' || message === null || !('process' in message)) return undefined;
  return message.process instanceof EventEmitter ? message.process : undefined;
}

import {
  describeSuspension,
  readSuspensions,
  suspensionFolders,
} from '../pass/read-suspensions.ts';
import { usableState, readState } from '../state/state-file.ts';
import { instancePaths } from '../state/state-folder.ts';
import type { ActiveSuspension } from '../state/suspension-record.ts';
import { isEndedBy, type Ending } from '../state/suspension-rules.ts';
import { removeSuspension } from '../state/suspensions.ts';
import { sleep } from '../system/clock.ts';
import type { Login } from '../system/login.ts';
import type { NodeContext } from './node-context.ts';

/**
 * Ends suspensions of an instance. The next successful pass advertises it, if no other holder
 * suspends it.
 *
 * @param holder whose suspension ends; undefined: everyone's
 * @returns the suspensions that are still in force
 * @throws StateError, PermissionError
 */
export function resumeInstance(
  instance: string,
  holder: string | undefined,
  who: Login,
  context: NodeContext,
): readonly ActiveSuspension[] {
  const { log, clock, ownUid } = context;
  const options = { ...context, instance };
  const ending: Ending = holder === undefined ? { kind: 'everyone' } : { kind: 'name', holder };
  const reading = readSuspensions(options, clock, ownUid);
  if (holder === undefined && reading.error !== undefined) throw reading.error;
  const active = reading.active.filter((found) => isEndedBy(found, ending));
  // Under a name also what is over already, whose file would stay.
  const named = holder === undefined ? [] : [holder];
  const holders = new Set([...named, ...active.map((found) => found.holder)]);
  const ended = [...holders].filter((name) =>
    suspensionFolders(context)
      .map((folder) => removeSuspension(folder, instance, name))
      .includes(true),
  );
  const left = readSuspensions(options, clock, ownUid).active;
  const whose = holder === undefined ? 'anybody' : `'${holder}'`;
  log.notice(
    ended.length > 0
      ? `${instance}: resumed by ${who.login}${left.length === 0 ? '' : `, for ${whose} alone`}`
      : `${instance}: was not suspended by ${whose}`,
  );
  if (left.length > 0) {
    log.notice(`${instance}: still suspended by ${left.map(describeSuspension).join(', ')}`);
  }
  return left;
}

/** Says that a command's suspension is over, and what else keeps the instance out. */
export function sayResumed(instance: string, { login }: Login, context: NodeContext): void {
  const { log, clock, ownUid } = context;
  const { active } = readSuspensions({ ...context, instance }, clock, ownUid);
  log.notice(`${instance}: resumed by ${login}`);
  if (active.length > 0) {
    log.notice(`${instance}: still suspended by ${active.map(describeSuspension).join(', ')}`);
  }
}

const POLL_MS = 100;

/**
 * Waits until the kernel shows all addresses of an instance again.
 *
 * @param interrupted ends the wait
 * @returns whether it does, or why not
 */
export async function awaitAdvertised(
  instance: string,
  waitMs: number,
  context: NodeContext,
  interrupted: AbortSignal,
): Promise<{ readonly advertised: boolean; readonly why: string }> {
  const untilMs = context.clock.now().bootMs + waitMs;
  const since = context.clock.now().bootMs;
  for (;;) {
    const why = await whyNotAdvertised(instance, since, context);
    if (why === undefined) return { advertised: true, why: '' };
    const leftMs = untilMs - context.clock.now().bootMs;
    if (leftMs <= 0 || interrupted.aborted) return { advertised: false, why };
    await sleep(Math.min(POLL_MS, leftMs), interrupted);
  }
}

async function whyNotAdvertised(
  instance: string,
  sinceMs: number,
  context: NodeContext,
): Promise<string | undefined> {
  const { state: path } = instancePaths(context.stateDir, instance);
  const state = usableState(readState(path, context.clock.now()));
  if (state === undefined || state.lastPass === null) return 'no pass came yet';
  if (state.places.length === 0) return 'it manages no address';
  const { active } = readSuspensions({ ...context, instance }, context.clock, context.ownUid);
  const [suspension] = active;
  if (suspension !== undefined) return `still suspended by ${describeSuspension(suspension)}`;
  const { present } = await context
    .advertiserFor(state.kind, state.drainInterface)
    .read(state.places);
  const absent = state.places.find(({ address }) => !present.has(address));
  if (absent === undefined) return undefined;
  const { lastPass } = state;
  if (lastPass.atMs < sinceMs) return 'no pass came since (does its timer run?)';
  return lastPass.status === 'up'
    ? `health is ${state.health.status} (${state.health.successes}/${state.rise} successes)`
    : `the last pass saw it ${lastPass.status}: ${lastPass.detail}`;
}

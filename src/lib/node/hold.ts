import { describeWriter, suspensionFolders } from '../pass/read-suspensions.ts';
import { prepareFolder } from '../state/state-folder.ts';
import type { Suspension } from '../state/suspension-record.ts';
import { maySuspend } from '../state/suspension-rules.ts';
import {
  removeSuspension,
  rewriteSuspension,
  standingSuspension,
  writeSuspension,
} from '../state/suspensions.ts';
import { BusyError } from '../system/errors.ts';
import type { Login } from '../system/login.ts';
import type { ProcessIdentity } from '../system/process-identity.ts';
import type { NodeContext } from './node-context.ts';

/** What is asked of `ha-suspend`. */
export interface SuspensionRequest {
  readonly holder: string;
  readonly reason: string;
  /** undefined: until it is resumed. */
  readonly forMs: number | undefined;
  readonly acrossReboot: boolean;
  /** undefined: as each instance has it. */
  readonly drainMs: number | undefined;
  /** The suspension ends when these are gone; undefined: it is bound to no process. */
  readonly processes: readonly ProcessIdentity[] | undefined;
  readonly who: Login;
  /** Also in place of what somebody else wrote under that name. */
  readonly replace: boolean;
}

/** What was written, by instance. */
export type Written = ReadonlyMap<string, Suspension>;

/**
 * Writes the suspensions of all instances, or of none.
 *
 * @throws BusyError when one is suspended under that name by somebody else, StateError,
 *   PermissionError
 */
export function writeAll(
  instances: readonly string[],
  request: SuspensionRequest,
  context: NodeContext,
): Written {
  prepareFolder(context.stateDir, context.ownUid);
  if (request.acrossReboot) prepareFolder(context.persistDir, context.ownUid);
  const allowed = instances.map((instance) => permit(instance, request, context));
  const written = new Map<string, Suspension>();
  try {
    for (const [index, instance] of instances.entries()) {
      const exclusive = allowed[index] === 'create';
      written.set(instance, writeOne(instance, request, exclusive, context));
    }
  } catch (error) {
    for (const [instance, { id }] of written) endSuspension(instance, request.holder, id, context);
    throw error;
  }
  return written;
}

/**
 * Whether an instance may be suspended under the name.
 *
 * @returns `create`: nothing stands there
 * @throws BusyError
 */
function permit(
  instance: string,
  { holder, who, replace }: SuspensionRequest,
  { clock, log, ...folders }: NodeContext,
): 'create' | 'replace' {
  const now = clock.now();
  let isNew = true;
  for (const folder of suspensionFolders(folders)) {
    const standing = standingSuspension(folder, instance, holder, now);
    if (standing !== undefined) isNew = false;
    const permission = maySuspend(standing, who.login, replace);
    if (permission === 'write' || standing?.active === undefined) continue;
    const words = `'${holder}'${describeWriter(standing.active, now)}`;
    if (permission === 'refuse') {
      throw new BusyError(
        `${instance}: suspended already as ${words}: give another name (--by), or --replace`,
      );
    }
    log.notice(`${instance}: takes the place of the suspension as ${words}`);
  }
  return isNew ? 'create' : 'replace';
}

function writeOne(
  instance: string,
  request: SuspensionRequest,
  exclusive: boolean,
  context: NodeContext,
): Suspension {
  const [folder, persistent] = suspensionFolders(context);
  const { holder, reason, forMs, acrossReboot, processes, who } = request;
  const suspension = { instance, holder, reason, forMs, acrossReboot, processes, who, exclusive };
  const now = context.clock.now();
  const written = writeSuspension(acrossReboot ? persistent : folder, suspension, now);
  // A holder has one suspension: the former one of the other kind would outlive it.
  if (!exclusive) removeSuspension(acrossReboot ? folder : persistent, instance, holder);
  return written;
}

/** Ends one suspension, if it is still that one. Throws StateError, PermissionError. */
export function endSuspension(
  instance: string,
  holder: string,
  id: string,
  context: Pick<NodeContext, 'stateDir' | 'persistDir'>,
): boolean {
  return suspensionFolders(context)
    .map((folder) => removeSuspension(folder, instance, holder, id))
    .includes(true);
}

/**
 * Writes a suspension anew, that counts as the same one and ends when it would have.
 *
 * @throws StateError, PermissionError
 */
export function changeSuspension(
  instance: string,
  holder: string,
  suspension: Suspension,
  context: Pick<NodeContext, 'stateDir' | 'persistDir'>,
): void {
  const [folder, persistent] = suspensionFolders(context);
  rewriteSuspension(suspension.acrossReboot ? persistent : folder, instance, holder, suspension);
}

import { suspensionFolders } from '../pass/read-suspensions.ts';
import { claimedInstances } from '../state/claims.ts';
import { namesIn, checkFolder, instancePaths } from '../state/state-folder.ts';
import { suspendedInstances } from '../state/suspensions.ts';
import { NoSuchInstanceError } from '../system/errors.ts';
import type { NodeContext } from './node-context.ts';

type Folders = Pick<NodeContext, 'stateDir' | 'persistDir' | 'ownUid'>;

/**
 * The instances of this node, sorted: all that left a state or a claim behind since boot.
 *
 * @throws PermissionError for a state folder that must not be trusted, StateError
 */
export function runningInstances({ stateDir, ownUid }: Folders): readonly string[] {
  if (!checkFolder(stateDir, ownUid)) return [];
  const { claims } = instancePaths(stateDir, '');
  const states = namesIn(stateDir).flatMap(
    (name) => /^([^.].*)\.json(?:\.withdrawn)?$/.exec(name)?.[1] ?? [],
  );
  return [...new Set([...states, ...claimedInstances(claims)])].sort();
}

/** Those, and all that are suspended: one may be so before its first pass. Throws as above. */
export function knownInstances(folders: Folders): readonly string[] {
  const suspended = suspendedInstances(suspensionFolders(folders));
  return [...new Set([...runningInstances(folders), ...suspended])].sort();
}

/**
 * The instances that were asked for.
 *
 * @param names as given
 * @param instances all that there are
 * @throws NoSuchInstanceError for a name that left no trace on this node, which lists those that did
 */
export function selectInstances(
  names: readonly string[],
  instances: readonly string[],
): readonly string[] {
  const known = new Set(instances);
  const stranger = names.find((name) => !known.has(name));
  if (stranger === undefined) return [...new Set(names)];
  const others = known.size === 0 ? 'none ran yet' : `known are ${[...known].sort().join(', ')}`;
  throw new NoSuchInstanceError(`no instance '${stranger}' (${others})`);
}

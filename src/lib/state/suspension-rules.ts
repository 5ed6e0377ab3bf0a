/**
 * Who may suspend, who may end a suspension, and when an instance may be advertised: the rules, and
 * nothing else. Pure.
 *
 * A suspension belongs to a name (`--by`) and to the person who wrote it. One that is over (its time
 * has come, its command is gone) belongs to nobody. The form with a command has a name that nobody
 * else can have, and ends only what it wrote itself.
 */

/** A suspension under a name, as it stands there. */
export interface Standing {
  readonly id: string;
  /** Whether it still keeps the instance out. */
  readonly inForce: boolean;
  /** Who wrote it; undefined: 0.1.0 did not say. */
  readonly login: string | undefined;
}

export type Permission =
  /** Nobody holds the name. */
  | 'write'
  /** It is the asker's own, or is to be replaced. */
  | 'rewrite'
  /** It is somebody else's. */
  | 'refuse';

/**
 * Whether somebody may suspend under a name.
 *
 * @param standing what stands under that name
 * @param replace somebody else's goes as well
 */
export function maySuspend(
  standing: Standing | undefined,
  login: string,
  replace: boolean,
): Permission {
  if (standing?.inForce !== true) return 'write';
  const isOwn = standing.login === undefined || standing.login === login;
  return isOwn || replace ? 'rewrite' : 'refuse';
}

/** Who wants to end suspensions. */
export type Ending =
  | { readonly kind: 'name'; readonly holder: string }
  | { readonly kind: 'everyone' }
  /** A command that is over: it ends that one suspension, whatever is called the same by now. */
  | { readonly kind: 'writer'; readonly id: string };

/** Whether a suspension is ended by whoever asks. */
export function isEndedBy(
  standing: Pick<Standing, 'id'> & { readonly holder: string },
  ending: Ending,
): boolean {
  switch (ending.kind) {
    case 'everyone':
      return true;
    case 'name':
      return standing.holder === ending.holder;
    case 'writer':
      return standing.id === ending.id;
  }
}

/**
 * Whether suspensions leave an instance free to be advertised.
 *
 * @param inForce those that are in force, or their ids
 */
export function mayAdvertise(inForce: readonly unknown[]): boolean {
  return inForce.length === 0;
}

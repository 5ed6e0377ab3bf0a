import { lstatSync, readlinkSync } from 'node:fs';
import { errnoOf, messageOf, StateError } from '../system/errors.ts';

/**
 * That the unit of the service ended. systemd notes it before it withdraws, as a link whose target
 * says which unit and how: `unbound.service signal KILL` (%n, $SERVICE_RESULT and $EXIT_STATUS of
 * systemd.exec(5)). Each end makes a link of its own, so one is told from another by what it is, and
 * not by comparing clocks.
 */
export interface ServiceEnd {
  readonly id: string;
  /** `unbound.service ended (SIGKILL)`. */
  readonly words: string;
  /** For people: milliseconds since the epoch. */
  readonly wallMs: number;
}

/**
 * The latest end of the service of an instance; undefined: none is noted.
 *
 * @throws StateError when that cannot be told
 */
export function latestServiceEnd(path: string): ServiceEnd | undefined {
  try {
    const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    const id = `${stat.ino}:${stat.mtimeNs}`;
    // By touch(1), too: then it is not said which unit it was.
    const words = describeEnd(stat.isSymbolicLink() ? readlinkSync(path) : '');
    return { id, words, wallMs: Number(stat.mtimeMs) };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw new StateError(`cannot tell whether the service ended: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** What a link says, in words. Pure. */
export function describeEnd(target: string): string {
  const [unit = '', result = '', status = ''] = target.split(' ');
  // Of a unit: systemd.unit(5). It goes into the log and onto terminals.
  if (!/^[A-Za-z0-9:_.@\\-]{1,255}$/.test(unit)) return 'its service ended';
  const how = wordsOf(result, status);
  return how === '' ? `${unit} ended` : `${unit} ended (${how})`;
}

function wordsOf(result: string, status: string): string {
  switch (result) {
    case 'success':
      return '';
    case 'exit-code':
      return `exit status ${/^\d+$/.test(status) ? status : '?'}`;
    case 'signal':
    case 'core-dump':
      return /^[A-Z0-9+]{1,10}$/.test(status) ? `SIG${status}` : result;
    default:
      return /^[a-z-]{1,30}$/.test(result) ? result : '';
  }
}

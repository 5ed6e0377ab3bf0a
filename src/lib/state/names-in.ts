import { readdirSync } from 'node:fs';
import { errnoOf, messageOf, StateError } from '../system/errors.ts';

/** What a folder has in it; nothing where there is no folder. Throws StateError. */
export function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw new StateError(`cannot read ${folder}: ${messageOf(error)}`, { cause: error });
  }
}

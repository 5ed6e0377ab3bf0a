import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf } from './errors.ts';

/**
 * Makes a folder with the parents it lacks; it is fine if something is there already.
 *
 * Not by mkdirSync's `recursive`, which never returns where a parent exists and mkdir(2) says
 * ENOENT all the same: in /proc, or from a working directory that was removed (seen with Node 20
 * to 24).
 *
 * @throws the system's error
 */
export function makeFolders(path: string, mode: number): void {
  try {
    mkdirSync(path, mode);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EEXIST') return;
    const parent = dirname(path);
    if (errno !== 'ENOENT' || parent === path) throw error;
    makeFolders(parent, mode);
    makeFolder(path, mode);
  }
}

function makeFolder(path: string, mode: number): void {
  try {
    mkdirSync(path, mode);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

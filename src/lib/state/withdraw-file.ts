import { hostPrefix } from '../system/ip-address.ts';
import { writeFileAtomically } from '../system/atomic-file.ts';
import { messageOf, StateError } from '../system/errors.ts';
import { readBounded } from '../system/read-file.ts';

/**
 * Beside the state of an instance stand the lines for `ip -force -batch` that take out what it
 * advertises, and nothing else, so that systemd can do so in the moment in which the service ends:
 * without a pass, and without starting Node. A line too many fails and does no harm as long as the
 * address is the instance's own; so lines are added before an address is, and go after it went, or
 * before somebody else may have it.
 */

/** A thousand addresses take a fifth of this. */
const MAX_BYTES = 1024 * 1024;

/** The lines as they stand there; undefined where there is no such file, or none that can be read. */
export function readWithdrawLines(path: string): readonly string[] | undefined {
  try {
    return readBounded(path, MAX_BYTES)
      .split('\n')
      .filter((line) => line !== '');
  } catch {
    return undefined;
  }
}

/**
 * Makes the file say this and no more. One that does so already is only read.
 *
 * @throws StateError
 */
export function replaceWithdrawLines(path: string, lines: readonly string[]): void {
  const former = readWithdrawLines(path);
  const wanted = [...new Set(lines)];
  if (former?.join('\n') === wanted.join('\n')) return;
  try {
    writeFileAtomically(path, 0o644, wanted.map((line) => `${line}\n`).join(''));
  } catch (error) {
    throw new StateError(`cannot write ${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** Makes the file say this as well, and be there. Throws StateError. */
export function addWithdrawLines(path: string, lines: readonly string[]): void {
  const former = readWithdrawLines(path);
  const missing = lines.filter((line) => former?.includes(line) !== true);
  if (missing.length > 0 || former === undefined)
    replaceWithdrawLines(path, [...(former ?? []), ...missing]);
}

/**
 * Takes out of the file whatever is about these addresses. In one step, for whoever reads it in
 * between would leave something there.
 *
 * @param instead what it says in place of that
 * @throws StateError
 */
export function dropFromWithdrawFile(
  path: string,
  addresses: readonly string[],
  instead: readonly string[] = [],
): void {
  const former = readWithdrawLines(path) ?? [];
  if (former.length === 0 && instead.length === 0) return;
  const words = new Set(addresses.flatMap((address) => [address, hostPrefix(address)]));
  const isAbout = (line: string): boolean => line.split(' ').some((word) => words.has(word));
  replaceWithdrawLines(path, [...former.filter((line) => !isAbout(line)), ...instead]);
}

import type { Transition } from '../pass/pass-report.ts';
import { containStart } from '../system/contain-start.ts';
import { errnoOf, messageOf } from '../system/errors.ts';

const LIMIT_MS = 10_000;

/**
 * Runs the user's program after a transition, without a shell and for ten seconds at most.
 *
 * @returns what went wrong, or undefined
 */
export async function runOnChange(
  program: string,
  instance: string,
  { to, reason }: Transition,
): Promise<string | undefined> {
  const { execa } = await import('execa');
  let result;
  try {
    result = await containStart(() =>
      execa(program, [instance, to, reason], {
        reject: false,
        stdio: 'ignore',
        timeout: LIMIT_MS,
        killSignal: 'SIGKILL',
      }),
    );
  } catch (error) {
    return `${program} could not be run (${errnoOf(error) ?? messageOf(error)})`;
  }
  if (result.timedOut) return `${program} did not end within ${LIMIT_MS / 1000} s`;
  if (result.signal !== undefined) return `${program} was killed by ${result.signal}`;
  if (result.exitCode === undefined) return `${program} could not be run (${result.code ?? '?'})`;
  return result.exitCode === 0 ? undefined : `${program} exited with ${result.exitCode}`;
}

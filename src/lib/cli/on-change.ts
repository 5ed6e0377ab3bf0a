import type { Transition } from '../pass/report.ts';

const LIMIT_MS = 10_000;

/** Between SIGTERM and SIGKILL, once its time is over. */
const GRACE_MS = 200;

/**
 * Runs the user's program after a transition, without a shell and for ten seconds at most. What it
 * started ends with it.
 *
 * @returns what went wrong, or undefined
 */
export async function runOnChange(
  program: string,
  instance: string,
  { to, reason }: Transition,
): Promise<string | undefined> {
  const { inheritedEnvironment, runInGroup } = await import('../system/process-group.ts');
  const { ending } = await runInGroup({
    file: program,
    args: [instance, to, reason],
    env: inheritedEnvironment(),
    signal: AbortSignal.timeout(LIMIT_MS),
    graceMs: GRACE_MS,
    maxOutputBytes: 0,
  });
  switch (ending.kind) {
    case 'exited':
      return ending.exitStatus === 0 ? undefined : `${program} exited with ${ending.exitStatus}`;
    case 'killed':
      return `${program} was killed by ${ending.signal}`;
    case 'not-started':
      return `${program} could not be run (${ending.errno})`;
    case 'out-of-time':
      return `${program} did not end within ${LIMIT_MS / 1000} s`;
  }
}

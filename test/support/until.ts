import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Polls until something holds.
 *
 * @param what for the message when it never does
 * @param check a throw counts as "not yet", and its message ends up in the error
 * @throws Error after the time limit
 */
export async function until(
  what: string,
  check: () => boolean | Promise<boolean>,
  { timeoutMs = 15_000, everyMs = 20 }: { timeoutMs?: number; everyMs?: number } = {},
): Promise<void> {
  const end = performance.now() + timeoutMs;
  let last = '';
  for (;;) {
    try {
      if (await check()) return;
      last = '';
    } catch (error) {
      last = `: ${String(error)}`;
    }
    if (performance.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms${last}`);
    await sleep(everyMs);
  }
}

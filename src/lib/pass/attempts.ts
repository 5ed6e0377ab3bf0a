import { unknown, type Verdict } from '../probe/probe.ts';
import { monotonicMs, readWhatArrived, sleep } from '../system/clock.ts';
import { errnoOf } from '../system/errors.ts';
import type { PassOptions, AttemptContext, PassPorts } from './ports.ts';
import { afterStandstill, watchStandstill } from './standstill.ts';

/** How long a probe may take to settle once its attempt is over. */
const GRACE_MS = 1000;

/**
 * Probes up to `attempts` times, until the first success.
 *
 * @returns the verdict that counts: `up` if an attempt saw it, else the last `down`, else the last
 *   `unknown`
 */
export async function probeWithAttempts(
  options: Pick<PassOptions, 'attempts' | 'timeoutMs' | 'retryDelayMs'>,
  ports: Pick<PassPorts, 'probe' | 'log' | 'interrupts'>,
  context: Pick<AttemptContext, 'health' | 'command'>,
): Promise<Verdict> {
  const { probe, log, interrupts } = ports;
  let verdict: Verdict | undefined;
  for (let attempt = 1; attempt <= options.attempts; attempt++) {
    if (attempt > 1) {
      await sleep(options.retryDelayMs, interrupts.signal);
    }
    if (isOver(interrupts.signal)) break;
    const startedMs = monotonicMs();
    const { verdict: now, settled } = await probeOnce(
      probe,
      log,
      context,
      options.timeoutMs,
      interrupts.signal,
    );
    // The question was cut short: what it seems to say is no verdict.
    if (isOver(interrupts.signal) && now.status !== 'up') break;
    const tookMs = monotonicMs() - startedMs;
    log.step(`attempt ${attempt} of ${options.attempts}: ${describeVerdict(now)} [${tookMs} ms]`);
    if (now.status !== 'unknown' || verdict === undefined) verdict = now;
    if (now.status === 'up' || !settled) break; // one that did not settle may still be running
  }
  return verdict ?? unknown('overrun', 'interrupted');
}

/** A verdict in one line: `down (timeout): …`. */
export function describeVerdict(verdict: Verdict): string {
  return verdict.status === 'up'
    ? `up: ${verdict.detail}`
    : `${verdict.status} (${verdict.reason}): ${verdict.detail}`;
}

/** Asked anew each time: it changes while we wait. */
function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}

interface Attempt {
  readonly verdict: Verdict;
  /** Whether the probe came to an end. */
  readonly settled: boolean;
}

async function probeOnce(
  probe: PassPorts['probe'],
  log: PassPorts['log'],
  context: Pick<AttemptContext, 'health' | 'command'>,
  timeoutMs: number,
  interrupted: AbortSignal,
): Promise<Attempt> {
  const attempt = new AbortController();
  const end = (): void => {
    attempt.abort();
  };
  const watch = watchStandstill();
  const timer = setTimeout(() => {
    void readWhatArrived().then(end);
  }, timeoutMs);
  let overrunTimer: NodeJS.Timeout | undefined;
  const overrun = new Promise<Attempt>((resolve) => {
    const message = `the probe did not settle ${GRACE_MS} ms after its timeout`;
    attempt.signal.addEventListener('abort', () => {
      overrunTimer = setTimeout(() => {
        resolve({ verdict: unknown('overrun', message), settled: false });
      }, GRACE_MS);
    });
  });
  interrupted.addEventListener('abort', end, { once: true });
  try {
    if (interrupted.aborted) end();
    return await Promise.race([
      probe({ ...context, signal: attempt.signal, log })
        .catch(verdictOfSystemError)
        .then((verdict) => ({
          verdict: afterStandstill(verdict, watch.stoodStillMs(), timeoutMs),
          settled: true,
        })),
      overrun,
    ]);
  } finally {
    watch.end();
    clearTimeout(timer);
    clearTimeout(overrunTimer);
    interrupted.removeEventListener('abort', end);
  }
}

/** A failed system call that the probe did not expect is our lack, not the service's. */
function verdictOfSystemError(error: unknown): Verdict {
  const errno = errnoOf(error);
  if (errno === undefined || !/^E[A-Z0-9]+$/.test(errno)) throw error;
  return unknown('resources', `a system call failed (${errno})`);
}

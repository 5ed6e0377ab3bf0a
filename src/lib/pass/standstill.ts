import { monotonicMs } from '../system/clock.ts';
import { unknown, type Verdict } from '../probe/probe.ts';

/** How often is looked whether this process still runs. */
const LOOK_MS = 50;

/** A pause of this length is one of a busy machine, and says nothing. */
const USUAL_PAUSE_MS = 100;

/** Watches for times in which this process did not run: stopped, starved, on a paused machine. */
export interface StandstillWatch {
  /** How long it stood still since the watch began, in milliseconds; pauses that are usual do not count. */
  stoodStillMs(): number;
  end(): void;
}

/** Begins to watch. */
export function watchStandstill(now: () => number = monotonicMs): StandstillWatch {
  let last = now();
  let total = 0;
  const look = (): void => {
    const pauseMs = now() - last - LOOK_MS;
    if (pauseMs > USUAL_PAUSE_MS) total += pauseMs;
    last = now();
  };
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  return {
    stoodStillMs: () => {
      look();
      return total;
    },
    end: () => {
      clearInterval(timer);
    },
  };
}

/** The share of an attempt's time that it may stand still and still blame the service. */
const TOLERATED_SHARE = 0.25;

/**
 * What the verdict of an attempt is worth that stood still meanwhile: a pass that did not run
 * cannot blame the service for silence, for a slow answer, or for closing a connection that
 * nobody served. Pure.
 *
 * @param stoodStillMs how long it did not run
 * @param timeoutMs the time it was to have
 */
export function afterStandstill(
  verdict: Verdict,
  stoodStillMs: number,
  timeoutMs: number,
): Verdict {
  if (verdict.status !== 'down') return verdict;
  // A latency is measured over the pause, however short that was.
  const toleratedMs = verdict.reason === 'too-slow' ? 0 : timeoutMs * TOLERATED_SHARE;
  if (stoodStillMs <= toleratedMs) return verdict;
  const detail = `this pass stood still for ${Math.round(stoodStillMs)} ms: ${verdict.detail}`;
  return unknown('overrun', detail);
}

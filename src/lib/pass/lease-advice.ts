import { formatDuration } from '../system/duration.ts';
import { passDeadlineMs, type Advice, type PassOptions } from './pass-options.ts';

/**
 * Whether the lease is long enough to outlive a service's failing passes: otherwise an address
 * comes and goes with the timer's jitter rather than with the service.
 *
 * @param intervalMs the usual time between two passes; null while it is not known
 */
export function leaseAdvice(options: PassOptions, intervalMs: number | null): readonly Advice[] {
  if (options.leaseMs === undefined || intervalMs === null) return [];
  const wantedMs = 2 * (options.fall * intervalMs + passDeadlineMs(options));
  if (options.leaseMs >= wantedMs) return [];
  return [
    {
      key: 'short-lease',
      message:
        `--lease ${formatDuration(options.leaseMs)} is short for passes every ${formatDuration(intervalMs)}: ` +
        `take at least ${Math.ceil(wantedMs / 1000)}s`,
    },
  ];
}

/** The usual interval, from the former estimate and the latest gap; slow to follow a single one. */
export function estimateInterval(formerMs: number | null, gapMs: number): number {
  return Math.round(formerMs === null ? gapMs : (3 * formerMs + gapMs) / 4);
}

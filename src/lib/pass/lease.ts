import { addressLabel } from '../advertise/advertiser.ts';
import type { InstanceState, ServiceAddress } from '../state/instance-state.ts';
import { formatDuration } from '../system/duration.ts';
import { passDeadlineMs, type Advice, type PassOptions } from './ports.ts';

/**
 * Whether the lease is long enough to outlive a service's failing passes: otherwise an address
 * comes and goes with the timer's jitter rather than with the service.
 *
 * @param intervalMs the usual time between two passes; null while it is not known
 */
export function leaseAdvice(options: PassOptions, intervalMs: number | null): readonly Advice[] {
  if (options.leaseMs === undefined || intervalMs === null) return [];
  const wantedMs = 2 * (options.fall * intervalMs + passDeadlineMs(options));
  if (isLeaseTooShort(options, intervalMs)) {
    return [
      {
        key: 'lease-shorter-than-interval',
        message:
          `--lease ${formatDuration(options.leaseMs)} is over before the next pass comes, ${formatDuration(intervalMs)} later: ` +
          `nothing is advertised; take at least ${Math.ceil(wantedMs / 1000)}s`,
      },
    ];
  }
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

/** Whether an address that is added now would be gone before the next pass comes. */
export function isLeaseTooShort(
  { leaseMs }: Pick<PassOptions, 'leaseMs'>,
  intervalMs: number | null,
): boolean {
  return leaseMs !== undefined && intervalMs !== null && intervalMs > leaseMs;
}

/** A gap longer than so many intervals is a pause: a reboot, a timer that was stopped. */
const LONGEST_GAP = 4;

/** The usual interval, from the former estimate and the latest gap; slow to follow a single one. */
export function estimateInterval(formerMs: number | null, gapMs: number): number {
  if (formerMs === null) return Math.round(gapMs);
  const believedMs = formerMs === 0 ? gapMs : Math.min(gapMs, LONGEST_GAP * formerMs);
  return Math.round((3 * formerMs + believedMs) / 4);
}

/**
 * When the leases that the kernel counts down began, on the clock since boot. One of another
 * length than now wanted counts as unknown, so that it is set anew before it runs out; so does one
 * of 0.1.0, whose IPv6 addresses FRR 10 does not announce, and of an address that was not the
 * instance's own until now.
 */
export function leaseStart(
  state: InstanceState | undefined,
  leaseMs: number | undefined,
  places: readonly ServiceAddress[],
): number | null {
  if (state?.prefixRoutes !== true) return null;
  const had = new Set(state.places.map(addressLabel));
  if (!places.every((place) => had.has(addressLabel(place)))) return null;
  return state.leaseMs === (leaseMs ?? null) ? state.leaseFromMs : null;
}

/** Whether half of the lease is spent, on the clock since boot. */
export function leaseIsDue(
  leaseFromMs: number | null,
  leaseMs: number | undefined,
  nowMs: number,
): boolean {
  // Unknown since when: it is set anew, and known from then on.
  if (leaseFromMs === null || nowMs < leaseFromMs) return true;
  return leaseMs !== undefined && nowMs - leaseFromMs >= leaseMs / 2;
}

import type { InstanceState } from '../state/instance-state.ts';
import { latestServiceEnd, type ServiceEnd } from '../state/service-end.ts';
import { StateError } from '../system/errors.ts';

/** What a pass knows of the end of its service's unit. */
export interface ServiceEndView {
  /** An end that no pass has reckoned with; undefined: none. */
  readonly news: ServiceEnd | undefined;
  /** Whether it came after the probe began: then nobody knows whom that asked. */
  readonly voidsProbe: boolean;
  /** The latest end, as the state remembers it. */
  readonly id: string | null;
  /** Whether the service ended since; also true when that cannot be told. */
  readonly hasEndedSince: () => boolean;
}

/** The latest end that is noted. What cannot be told now is looked for again before adding. */
export function latestEndOrNone(path: string): ServiceEnd | undefined {
  try {
    return latestServiceEnd(path);
  } catch (error) {
    if (error instanceof StateError) return undefined;
    throw error;
  }
}

/**
 * Compares what is noted after a probe with what was before it, and with what the last pass knew.
 * Without a state what was noted before is history: what the kernel shows has come after it.
 */
export function viewServiceEnd(
  path: string,
  before: ServiceEnd | undefined,
  state: InstanceState | undefined,
): ServiceEndView {
  const after = latestEndOrNone(path);
  const voidsProbe = after !== undefined && after.id !== before?.id;
  const isKnown = state === undefined || after?.id === state.serviceEnd;
  const id = after?.id ?? null;
  return {
    news: voidsProbe || !isKnown ? after : undefined,
    voidsProbe,
    id,
    hasEndedSince: () => {
      try {
        const latest = latestServiceEnd(path);
        return latest !== undefined && latest.id !== id;
      } catch (error) {
        if (error instanceof StateError) return true;
        throw error;
      }
    },
  };
}

/**
 * What is said when an end took addresses out.
 *
 * @param didSo whether this pass had to do it, and not systemd
 */
export function endMessage({ words }: ServiceEnd, where: string, didSo: boolean): string {
  return didSo
    ? `down: withdrew ${where}: ${words}`
    : `down: ${where} is gone from the kernel: ${words}: withdrawn by systemd`;
}

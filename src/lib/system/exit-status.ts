/** The exit statuses of every executable; numbers from 64 on follow sysexits.h. */
export const ExitStatus = {
  up: 0,
  /** ha-status, ha-resume: something is not as it should be. Node's own crash says this too. */
  notAsItShouldBe: 1,
  down: 2,
  usage: 64,
  noSuchInstance: 66,
  unknown: 69,
  bug: 70,
  kernel: 71,
  state: 74,
  busy: 75,
  permission: 77,
  configuration: 78,
  hangup: 129,
  interrupted: 130,
} as const;

export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];

/** Worst first: what several instances in one process exit with. */
const BY_SEVERITY: readonly number[] = [
  ExitStatus.interrupted,
  ExitStatus.hangup,
  ExitStatus.bug,
  ExitStatus.kernel,
  ExitStatus.permission,
  ExitStatus.state,
  ExitStatus.configuration,
  ExitStatus.usage,
  ExitStatus.noSuchInstance,
  ExitStatus.unknown,
  ExitStatus.down,
  ExitStatus.busy,
];

/**
 * The exit status of a run that had several outcomes.
 *
 * @param statuses one exit status per instance; none means nothing was to do
 * @returns the most severe one that occurred, 0 when there was none
 */
export function worstExitStatus(statuses: readonly number[]): number {
  return BY_SEVERITY.find((status) => statuses.includes(status)) ?? ExitStatus.up;
}

import { ExitStatus } from '../system/exit-status.ts';

type Row = readonly [status: number | string, meaning: string];

/** The exit statuses that all ha-* commands share. */
const SHARED: readonly Row[] = [
  [ExitStatus.usage, 'a mistake on the command line'],
  [ExitStatus.noSuchInstance, 'no such instance on this node'],
  [ExitStatus.bug, 'a bug in this program'],
  [ExitStatus.kernel, 'the kernel did not take, or does not show, the change'],
  [ExitStatus.state, 'the state cannot be written'],
  [ExitStatus.busy, 'a pass holds the lock for too long, or somebody else suspends by that name'],
  [ExitStatus.permission, 'no permission'],
];

/** The end of a ha-* command's help text. */
export function haStatuses(own: readonly Row[]): string {
  const rows = [...own, ...SHARED].map(([status, meaning]) => `  ${status}\t  ${meaning}`);
  return ['Exit status:', ...rows].join('\n');
}

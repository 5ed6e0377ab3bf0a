import type { Finished } from './child.ts';

/** Everything a probe may end with, but 70: that is a bug. */
const DOCUMENTED: readonly (number | null)[] = [0, 2, 69, 71, 74, 75, 77, 78];

/**
 * What is wrong with how a run ended, against what its man page tells.
 *
 * @param program whose messages begin with its name
 * @param further exit statuses that it may have beside those of a probe
 */
export function badManners(
  run: Finished,
  program = 'dns-probe',
  further: readonly number[] = [],
): readonly string[] {
  const lines = run.stderr.split('\n').filter((line) => line !== '');
  const strange = lines.filter(
    (line) => !line.startsWith(`${program}: `) && !line.startsWith('/usr/bin/strace: '),
  );
  const isDocumented = [...DOCUMENTED, ...further].includes(run.exitCode);
  return [
    ...(isDocumented ? [] : [`exit ${run.exitCode ?? run.signal}`]),
    ...strange.map((line) => `said '${line}'`),
    ...(/this is a bug|\n +at /.test(run.stderr) ? ['a stack trace'] : []),
    ...((run.exitCode ?? 0) > 2 && lines.length === 0 ? ['no message'] : []),
  ];
}

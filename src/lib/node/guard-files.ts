import { join } from 'node:path';

/**
 * The drop-ins that tie instances to the units of their services, as text. What stands on the units
 * is what counts: the drop-in of the guard follows from it. Pure.
 */

/** Where the administrator's own units and drop-ins are (systemd.unit(5)). */
export const UNIT_FOLDER = '/etc/systemd/system';

/** Both in Debian's /bin and /sbin and, through them, in /usr. */
const LN = '/bin/ln';
const IP = '/sbin/ip';

/** One tie: this unit takes this instance along. */
export interface Tie {
  readonly instance: string;
  readonly unit: string;
}

export function guardUnit(instance: string): string {
  return `anycast-ha-guard@${instance}.service`;
}

/** Where the drop-in stands that takes an instance along with a unit. */
export function unitDropIn({ instance, unit }: Tie): string {
  return join(UNIT_FOLDER, `${unit}.d`, `anycast-ha-${instance}.conf`);
}

/** Where the drop-in stands that names the units of an instance. */
export function guardDropIn(instance: string): string {
  return join(UNIT_FOLDER, `${guardUnit(instance)}.d`, 'units.conf');
}

const MARK = '# Written by ha-guard';

/** Whether a text is ours to replace and to remove. */
export function isOurs(text: string): boolean {
  return text.startsWith(MARK);
}

/** The instance that a drop-in of a unit is for, by the file's name. */
export function instanceOfDropIn(name: string): string | undefined {
  return /^anycast-ha-([A-Za-z0-9][\w.:-]{0,63})\.conf$/.exec(name)?.[1];
}

/** What takes the instance along, on the unit of its service. */
export function unitDropInText(instance: string, stateDir: string): string {
  const file = (suffix: string): string => quoted(join(stateDir, `${instance}.${suffix}`));
  return `${MARK}: "ha-guard --remove ${instance}" takes this away.
# The service takes the addresses of ${instance} along: as planned when it stops or restarts, at once
# when it dies. First that it ended is noted, for a pass may be about to add them.

[Unit]
Wants=${guardUnit(instance)}

[Service]
ExecStopPost=-+${LN} -sfT "%n \${SERVICE_RESULT} \${EXIT_STATUS}" ${file('ended')}
ExecStopPost=-+${IP} -force -batch ${file('withdraw')}
`;
}

/**
 * What the guard of an instance does, and with which units.
 *
 * @param suspend path of ha-suspend
 */
export function guardDropInText(
  instance: string,
  units: readonly string[],
  suspend: string,
  stateDir: string,
): string {
  const names = units.join(' ');
  const reason = quoted(`${units.join(' or ')} stops`);
  const folder = stateDir === STATE_DIR ? '' : ` --state-dir ${quoted(stateDir)}`;
  return `${MARK}: "ha-guard --remove ${instance}" takes this away.

[Unit]
PartOf=${names}
After=${names}

[Service]
ExecStop=${suspend} ${instance} --by guard --replace --reason ${reason}${folder}
`;
}

const STATE_DIR = '/run/anycast-ha';

/** A word of a command line of systemd: systemd.service(5), COMMAND LINES. */
function quoted(word: string): string {
  const escaped = word.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
  const literal = escaped.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[\w/.:@-]+$/.test(literal) ? literal : `"${literal}"`;
}

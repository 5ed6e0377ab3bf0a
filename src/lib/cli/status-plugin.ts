import { isComingBack, type InstanceStatus } from '../node/status.ts';
import { printable } from './output.ts';

/** Monitoring Plugins Development Guidelines: status line, perfdata, and these exit statuses. */
const LEVELS = ['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'] as const;
const OK = 0;
const WARNING = 1;
const CRITICAL = 2;
const UNKNOWN = 3;

/**
 * The status of instances as a monitoring plugin gives it: CRITICAL for a service that is down or
 * for what is inconsistent, WARNING for one that is out on purpose, UNKNOWN where nothing runs.
 */
export function pluginStatus(statuses: readonly InstanceStatus[]): {
  readonly line: string;
  readonly exitStatus: number;
} {
  if (statuses.length === 0)
    return { line: 'ANYCAST UNKNOWN - no instance runs here', exitStatus: UNKNOWN };
  const judged = statuses.map((status) => ({ status, ...judge(status) }));
  const exitStatus = Math.max(...judged.map(({ level }) => level));
  const worth = judged.filter(({ level }) => level === exitStatus && level !== OK);
  const text =
    worth.length === 0
      ? `${statuses.length} advertised`
      : worth.map(({ status, why }) => `${status.instance}: ${why}`).join('; ');
  const perfdata = statuses.flatMap(performance).join(' ');
  const line = `ANYCAST ${LEVELS[exitStatus] ?? 'UNKNOWN'} - ${printable(text).replaceAll('|', '/')} | ${perfdata}`;
  return { line, exitStatus };
}

function judge(status: InstanceStatus): { readonly level: number; readonly why: string } {
  const { state, suspensions, inconsistent } = status;
  const [first] = inconsistent;
  if (first !== undefined) return { level: status.neverRan ? WARNING : CRITICAL, why: first };
  if (suspensions.length > 0) {
    return {
      level: WARNING,
      why: `suspended by ${suspensions.map(({ holder }) => holder).join(', ')}`,
    };
  }
  if (state?.health.status === 'up' && !isComingBack(state, suspensions)) {
    return { level: OK, why: 'up' };
  }
  // After a maintenance, or a failure that is over: the passes to come put it back.
  if (state?.lastPass?.status === 'up') return { level: WARNING, why: 'coming back' };
  const last = state?.lastPass;
  return { level: CRITICAL, why: last == null ? 'down' : `down: ${last.detail}` };
}

function performance({
  instance,
  state,
  now,
  leaseLeftMs,
  places,
}: InstanceStatus): readonly string[] {
  const present = places.filter((place) => place.present).length;
  const data = [`'${instance} addresses'=${present};;;0;${places.length}`];
  if (state?.lastPass != null) {
    data.push(`'${instance} age'=${(now.bootMs - state.lastPass.atMs) / 1000}s`);
  }
  if (leaseLeftMs !== undefined && present > 0)
    data.push(`'${instance} lease'=${leaseLeftMs / 1000}s`);
  return data;
}

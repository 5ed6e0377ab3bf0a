import { addressLabel } from '../advertise/advertiser.ts';
import { hostPrefix } from '../system/ip-address.ts';
import { isComingBack, type InstanceStatus } from '../node/status.ts';
import { describeWriter } from '../pass/read-suspensions.ts';
import type { ActiveSuspension } from '../state/suspension-record.ts';
import { formatDuration } from '../system/duration.ts';
import { printable } from './output.ts';

/** Whether nobody has to look at an instance: it works, or is out on purpose. */
export function isAsItShouldBe({ state, suspensions, inconsistent }: InstanceStatus): boolean {
  if (inconsistent.length > 0) return false;
  if (suspensions.length > 0 || state?.health.status === 'up') return true;
  return state !== undefined && isComingBack(state, suspensions) && state.lastPass?.status === 'up';
}

/**
 * A table that a person reads at a glance: a line per instance, below it its addresses, its
 * suspensions and what is inconsistent.
 *
 * @param verbose the last verdict also where all is well
 */
export function renderStatus(statuses: readonly InstanceStatus[], verbose: boolean): string {
  if (statuses.length === 0) return 'no instance has run here since boot\n';
  const rows = statuses.map((status) => summaryOf(status));
  const widths = HEADER.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `${cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()}\n`;
  const body = statuses.map((status, index) => {
    const details = detailsOf(status, verbose).map((detail) => `  ${printable(detail)}\n`);
    return line(rows[index] ?? []) + details.join('');
  });
  return line(HEADER) + body.join('');
}

const HEADER = ['INSTANCE', 'STATE', 'HEALTH', 'LAST PASS', 'LEASE LEFT'];

function summaryOf({
  instance,
  state,
  places,
  suspensions,
  now,
  leaseLeftMs,
}: InstanceStatus): string[] {
  const present = places.filter((place) => place.present).length;
  const shown =
    present === places.length && present > 0
      ? 'advertised'
      : present > 0
        ? `advertised in part`
        : suspensions.length > 0
          ? 'suspended'
          : state !== undefined && isComingBack(state, suspensions)
            ? 'coming back'
            : 'withdrawn';
  const health =
    state === undefined
      ? '-'
      : state.health.status === 'up'
        ? `up, ${state.health.failures}/${state.fall} failures`
        : `down, ${state.health.successes}/${state.rise} successes`;
  const last =
    state?.lastPass == null
      ? '-'
      : `${state.lastPass.status}, ${formatDuration(now.bootMs - state.lastPass.atMs)} ago`;
  const lease =
    present === 0 ? '-' : leaseLeftMs === undefined ? 'no end' : formatDuration(leaseLeftMs);
  return [instance, shown, health, last, lease];
}

function detailsOf(status: InstanceStatus, verbose: boolean): readonly string[] {
  const { state, places, moved, suspensions, inconsistent, drainLeftMs, now } = status;
  const details = places.map(({ address, interface: device, present }) => {
    return `${present ? '+' : '-'} ${hostPrefix(address)} dev ${device} ${present ? 'present' : 'absent'}`;
  });
  for (const place of moved) details.push(`~ ${addressLabel(place)} on its way out`);
  const { serviceEnd } = status;
  if (serviceEnd !== undefined && !places.some(({ present }) => present)) {
    const agoMs = Math.max(0, now.wallMs - serviceEnd.wallMs);
    details.push(`${serviceEnd.words}, ${formatDuration(agoMs)} ago`);
  }
  for (const suspension of suspensions) details.push(describe(suspension, now.wallMs));
  const last = state?.lastPass;
  if (last != null && (verbose || last.status !== 'up')) {
    details.push(
      `last verdict: ${last.status}${last.reason === null ? '' : ` (${last.reason})`}: ${last.detail}`,
    );
  }
  if (drainLeftMs > 0) details.push(`draining for ${formatDuration(drainLeftMs)} more`);
  return [...details, ...inconsistent.map((text) => `! ${text}`)];
}

function describe(suspension: ActiveSuspension, nowMs: number): string {
  const { holder, reason, leftMs, acrossReboot, boundToProcess } = suspension;
  const writer = describeWriter(suspension, { wallMs: nowMs });
  const parts = [`suspended by ${holder}`, reason, writer.trim()].filter((part) => part !== '');
  if (leftMs !== undefined) parts.push(`for ${formatDuration(leftMs)} more`);
  if (boundToProcess) parts.push('while its command runs');
  if (acrossReboot) parts.push('across reboots');
  return parts.join(', ');
}

/** The status of an instance as one line of JSON. */
export function jsonStatus(status: InstanceStatus): string {
  const { instance, state, gap, places, moved, suspensions, inconsistent, now } = status;
  const { leaseLeftMs, drainLeftMs } = status;
  const last = state?.lastPass ?? null;
  const { serviceEnd } = status;
  return JSON.stringify({
    instance,
    as_it_should_be: isAsItShouldBe(status),
    health: state?.health.status ?? null,
    successes: state?.health.successes ?? null,
    failures: state?.health.failures ?? null,
    transitions: state?.transitions ?? null,
    last_verdict: last?.status ?? null,
    last_reason: last?.reason ?? null,
    last_detail: last?.detail ?? null,
    last_pass_age_seconds: last === null ? null : (now.bootMs - last.atMs) / 1000,
    interval_seconds: state?.intervalMs == null ? null : state.intervalMs / 1000,
    addresses: places.map(({ address, interface: device, present }) => ({
      address,
      interface: device,
      present,
    })),
    on_drain_interface: moved.map(({ address }) => address),
    drain_left_seconds: drainLeftMs / 1000,
    lease_left_seconds: leaseLeftMs === undefined ? null : leaseLeftMs / 1000,
    suspensions: suspensions.map((suspension) => ({
      holder: suspension.holder,
      reason: suspension.reason,
      by: suspension.login ?? null,
      left_seconds: suspension.leftMs === undefined ? null : suspension.leftMs / 1000,
      across_reboot: suspension.acrossReboot,
      bound_to_process: suspension.boundToProcess,
    })),
    service_end: serviceEnd?.words ?? null,
    state_problem: gap ?? null,
    inconsistent,
  });
}

import type { PassReport } from '../pass/report.ts';

/** A pass as one line of JSON: names are stable, absent facts are null. */
export function jsonReport(report: PassReport): string {
  const { verdict, decision } = report;
  return JSON.stringify({
    instance: report.instance,
    exit_status: report.exitStatus,
    verdict: verdict?.status ?? null,
    reason: verdict === undefined || verdict.status === 'up' ? null : verdict.reason,
    detail: verdict?.detail ?? null,
    health: decision?.health ?? null,
    successes: decision?.successes ?? null,
    failures: decision?.failures ?? null,
    advertising: decision?.advertising ?? null,
    transition: decision?.transition?.to ?? null,
    transitions: decision?.transitions ?? null,
    suspended_by: decision?.suspensions.map(({ holder }) => holder) ?? null,
    addresses:
      decision?.places.map(({ address, interface: device, present }) => ({
        address,
        interface: device,
        present,
      })) ?? null,
    lease_left_seconds: decision?.leaseLeftMs === undefined ? null : decision.leaseLeftMs / 1000,
    changes: decision?.changes ?? null,
    problems: report.problems,
  });
}

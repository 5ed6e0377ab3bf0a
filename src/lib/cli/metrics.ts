import { join } from 'node:path';
import type { PassReport } from '../pass/report.ts';
import { removeIfPresent, writeFileAtomically } from '../system/atomic-file.ts';

interface Metric {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  /** undefined: it does not apply to this pass, and is left out. */
  readonly value: number | undefined;
}

/**
 * Writes the metrics of a pass for node_exporter's textfile collector, one file per instance.
 *
 * @param nowMs wall clock
 * @throws the system's error when the folder does not take the file
 */
export function writeMetrics(
  folder: string,
  report: PassReport,
  durationMs: number,
  nowMs: number,
): void {
  const path = metricsPath(folder, report.instance);
  writeFileAtomically(path, 0o644, renderMetrics(report, durationMs, nowMs));
}

/** Removes the metrics of an instance that is no more. Throws the system's error. */
export function removeMetrics(folder: string, instance: string): void {
  removeIfPresent(metricsPath(folder, instance));
}

function metricsPath(folder: string, instance: string): string {
  return join(folder, `anycast_ha_${instance}.prom`);
}

/** The metrics of a pass in the Prometheus text format, version 0.0.4. */
export function renderMetrics(report: PassReport, durationMs: number, nowMs: number): string {
  // Names hold letters, digits and . _ : - only: nothing that a label would have to escape.
  const label = `{instance_name="${report.instance}"}`;
  return metricsOf(report, durationMs, nowMs)
    .filter(({ value }) => value !== undefined)
    .map(({ name, type, help, value }) =>
      [
        `# HELP anycast_ha_${name} ${help}`,
        `# TYPE anycast_ha_${name} ${type}`,
        `anycast_ha_${name}${label} ${value ?? Number.NaN}`,
        '',
      ].join('\n'),
    )
    .join('');
}

function metricsOf(report: PassReport, durationMs: number, nowMs: number): readonly Metric[] {
  const { verdict, decision } = report;
  return [
    {
      name: 'up',
      type: 'gauge',
      help: 'Whether the last probe saw the service work.',
      value: verdict === undefined ? undefined : Number(verdict.status === 'up'),
    },
    {
      name: 'health_up',
      type: 'gauge',
      help: 'Whether the service counts as working, after hysteresis.',
      value: decision && Number(decision.health === 'up'),
    },
    {
      name: 'advertising',
      type: 'gauge',
      help: 'Whether the kernel shows a service address.',
      value: decision && Number(decision.advertising),
    },
    {
      name: 'suspended',
      type: 'gauge',
      help: 'How many suspensions are in force.',
      value: decision?.suspensions.length,
    },
    {
      name: 'transitions_total',
      type: 'counter',
      help: 'How often the advertisement changed since boot.',
      value: decision?.transitions,
    },
    {
      name: 'lease_left_seconds',
      type: 'gauge',
      help: 'How long the kernel keeps the addresses without another pass.',
      value: decision?.leaseLeftMs === undefined ? undefined : decision.leaseLeftMs / 1000,
    },
    {
      name: 'last_pass_timestamp_seconds',
      type: 'gauge',
      help: 'When the last pass ended.',
      value: nowMs / 1000,
    },
    {
      name: 'last_pass_duration_seconds',
      type: 'gauge',
      help: 'How long the last pass took.',
      value: durationMs / 1000,
    },
    {
      name: 'last_pass_exit_status',
      type: 'gauge',
      help: 'The exit status of the last pass.',
      value: report.exitStatus,
    },
  ];
}

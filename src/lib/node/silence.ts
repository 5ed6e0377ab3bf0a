import type { KnownConfiguration } from '../options/configured-instances.ts';
import type { PassUnit } from '../system/systemd-units.ts';

/**
 * Why no pass of an instance writes its state, and what to type. Pure.
 *
 * @param hasRun whether one has since boot
 * @param configuration undefined: none of that name
 * @param unit undefined: systemd knows none
 * @param sourceIsGone whether the file that the passes went by is no more
 */
export function whySilent(
  instance: string,
  hasRun: boolean,
  configuration: KnownConfiguration | undefined,
  unit: PassUnit | undefined,
  sourceIsGone: boolean,
): string | undefined {
  if (configuration?.problem !== undefined) return configuration.problem;
  if (unit?.failure !== undefined) {
    return `its passes fail (${unit.failure}): journalctl -u ${unit.service}`;
  }
  if (unit !== undefined && !unit.scheduled) {
    const timer = unit.service.replace(/service$/, 'timer');
    return `its timer does not run: systemctl enable --now ${timer}`;
  }
  if (unit !== undefined) return hasRun ? undefined : 'its first pass has not ended yet';
  if (sourceIsGone) {
    return `its configuration is gone: take it out by its probe with --withdraw --instance ${instance}`;
  }
  if (hasRun || configuration === undefined) return undefined;
  return `nothing has run ${configuration.path} since boot: systemctl enable --now PROBE@${instance}.timer`;
}

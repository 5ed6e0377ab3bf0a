import { statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { executablePath } from '../support/executable.ts';

/** What Node reads at each start. A budget has a tenth of room; to raise one is a decision. */
const SIZE_BUDGET_KB: readonly (readonly [name: string, kilobytes: number])[] = [
  ['dns-probe', 385],
  ['exec-probe', 310],
  ['ha-resume', 225],
  ['ha-status', 235],
  ['ha-suspend', 260],
  ['radius-probe', 345],
  ['squid-probe', 320],
  ['syslog-probe', 320],
  ['tcp-route-probe', 315],
];

test.each(SIZE_BUDGET_KB)('%s is no larger than %d kB', (name, kilobytes) => {
  expect(statSync(executablePath(name)).size / 1000).toBeLessThanOrEqual(kilobytes);
});

import { statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { executablePath } from '../support/executable.ts';

/** What Node reads at each start. A budget has a tenth of room; to raise one is a decision. */
const SIZE_BUDGET_KB: readonly (readonly [name: string, kilobytes: number])[] = [
  ['dns-probe', 490],
  ['exec-probe', 380],
  ['ha-resume', 270],
  ['ha-status', 280],
  ['ha-suspend', 305],
  ['radius-probe', 425],
  ['squid-probe', 395],
  ['syslog-probe', 395],
  ['tcp-route-probe', 380],
];

test.each(SIZE_BUDGET_KB)('%s is no larger than %d kB', (name, kilobytes) => {
  expect(statSync(executablePath(name)).size / 1000).toBeLessThanOrEqual(kilobytes);
});

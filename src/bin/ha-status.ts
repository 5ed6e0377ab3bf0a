import { statusOptions } from '../lib/cli/ha-options.ts';
import { haStatus } from '../lib/cli/ha-status.ts';
import { haStatuses, runHaProgram } from '../lib/cli/run-ha-program.ts';

void runHaProgram({
  name: 'ha-status',
  summary: 'Show instances: health, addresses as the kernel has them, leases and suspensions',
  synopsis: '[INSTANCE…]',
  table: statusOptions,
  examples: [
    { command: 'ha-status', meaning: 'all instances of this node' },
    { command: 'ha-status --watch dns-probe', meaning: 'one instance, anew every second' },
    { command: 'ha-status --plugin', meaning: 'one line for a monitoring system' },
  ],
  epilogue: haStatuses([
    [0, 'all is as it should be (--plugin: OK)'],
    [1, 'something is not as it should be (--plugin: WARNING; 2: CRITICAL; 3: UNKNOWN)'],
  ]),
  run: haStatus,
});

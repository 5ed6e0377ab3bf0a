import { prepareRadius, radiusOptions } from '../lib/probe/radius/radius-options.ts';
import { runProbeProgram } from '../lib/cli/run-probe-program.ts';
import { probeRadius } from '../lib/probe/radius/radius-probe.ts';

void runProbeProgram({
  name: 'radius-probe',
  summary: 'Advertises a service address while a RADIUS server answers',
  table: radiusOptions,
  examples: [
    {
      command: 'radius-probe --server 127.0.0.1:18121 --secret-file /etc/anycast-ha/radius.secret',
      meaning: 'asks the status server of the example and prints the verdict',
    },
    {
      command:
        'radius-probe -a 192.0.2.1 --secret-file /etc/anycast-ha/radius.secret --mode auth --user probe --password-file /etc/anycast-ha/radius.password',
      meaning: 'advertises 192.0.2.1 while a test user can log in on port 1812',
    },
  ],
  prepare: prepareRadius,
  probe: probeRadius,
});

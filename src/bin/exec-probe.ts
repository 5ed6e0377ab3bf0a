import { execOptions, prepareExec } from '../lib/probe/exec/exec-options.ts';
import { runProbeProgram } from '../lib/cli/run-probe-program.ts';
import { probeExec } from '../lib/probe/exec/exec-probe.ts';

void runProbeProgram({
  name: 'exec-probe',
  summary: 'Advertises a service address while a command of your own succeeds',
  table: execOptions,
  synopsis: '-- COMMAND [ARG…]',
  examples: [
    {
      command: 'exec-probe -- /usr/lib/nagios/plugins/check_tcp -H 127.0.0.1 -p 389',
      meaning: 'runs a monitoring plugin and prints the verdict',
    },
    {
      command:
        'exec-probe -a 192.0.2.1 -i ntp --timeout 3s -- /usr/lib/nagios/plugins/check_ntp_time -H 127.0.0.1',
      meaning: 'advertises 192.0.2.1 while the time server on this node answers',
    },
  ],
  prepare: prepareExec,
  probe: probeExec,
});

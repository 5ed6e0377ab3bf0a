import { runProbeProgram } from '../lib/cli/run-probe-program.ts';
import { prepareSquid, squidOptions } from '../lib/probe/squid/squid-options.ts';
import { probeSquid } from '../lib/probe/squid/squid-probe.ts';

void runProbeProgram({
  name: 'squid-probe',
  summary: 'Advertise an anycast address while a web proxy answers on this node',
  table: squidOptions,
  examples: [
    {
      command: 'squid-probe',
      meaning: 'ask squid on 127.0.0.1:3128 for one of its own icons and print the verdict',
    },
    {
      command: 'squid-probe -a 192.0.2.1 --connect 198.51.100.7:443',
      meaning: 'advertise 192.0.2.1 while the proxy opens tunnels to there',
    },
  ],
  prepare: prepareSquid,
  probe: probeSquid,
});

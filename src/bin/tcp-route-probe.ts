import { runProbeProgram } from '../lib/cli/run-probe-program.ts';
import { prepareTcpRoute, tcpRouteOptions } from '../lib/probe/tcp-route/tcp-route-options.ts';
import { probeTcp } from '../lib/probe/tcp-route/tcp-route-probe.ts';

void runProbeProgram({
  name: 'tcp-route-probe',
  summary: 'Advertises a host route while TCP ports at its far end are open',
  table: tcpRouteOptions,
  synopsis: '[DEV ADDR PORT...]',
  examples: [
    {
      command: 'tcp-route-probe bond0 192.0.2.153 80 443',
      meaning: 'keeps a route to 192.0.2.153 through bond0 while both ports take connections',
    },
    {
      command: 'tcp-route-probe --config /etc/anycast-ha/routes',
      meaning: 'makes a pass of each configuration in a folder, all at once',
    },
  ],
  prepare: prepareTcpRoute,
  probe: probeTcp,
  manages: 'route',
});

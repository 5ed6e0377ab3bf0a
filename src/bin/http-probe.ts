import { runProbeProgram } from '../lib/cli/run-probe-program.ts';
import { httpOptions, prepareHttp } from '../lib/probe/http/http-options.ts';
import { probeHttp } from '../lib/probe/http/http-probe.ts';

void runProbeProgram({
  name: 'http-probe',
  summary: 'Advertise an anycast address while a web server answers on this node',
  table: httpOptions,
  examples: [
    {
      command: 'http-probe',
      meaning: 'ask the web server on 127.0.0.1 for its first page and print the verdict',
    },
    {
      command: 'http-probe -a 192.0.2.1 --url https://www.example.net/ --connect-to 127.0.0.1',
      meaning: 'advertise 192.0.2.1 while the site answers here, with its certificate',
    },
  ],
  prepare: prepareHttp,
  probe: probeHttp,
});

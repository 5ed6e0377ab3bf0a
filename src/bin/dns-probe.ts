import { dnsOptions, prepareDns } from '../lib/probe/dns/dns-options.ts';
import { runProbeProgram } from '../lib/cli/run-probe-program.ts';
import { probeDns } from '../lib/probe/dns/dns-probe.ts';

void runProbeProgram({
  name: 'dns-probe',
  summary: 'Advertises a service address while a name server answers',
  table: dnsOptions,
  examples: [
    {
      command: 'dns-probe --verbose',
      meaning: 'asks the resolver on 127.0.0.1 for the root SOA record and changes nothing',
    },
    {
      command: 'dns-probe --address 192.0.2.1 --address 2001:db8::1',
      meaning:
        'one pass: puts the addresses on lo while that resolver answers, else takes them off',
    },
    {
      command: "dns-probe --server '[::1]' --query '{nonce}.example.net' --rcode NXDOMAIN",
      meaning: 'asks for a new name each time, which no cache can answer',
    },
  ],
  prepare: prepareDns,
  probe: probeDns,
});

import { runProbeProgram } from '../lib/cli/run-probe-program.ts';
import { prepareSyslog, syslogOptions } from '../lib/probe/syslog/syslog-options.ts';
import { probeSyslog } from '../lib/probe/syslog/syslog-probe.ts';

void runProbeProgram({
  name: 'syslog-probe',
  summary: 'Advertise an anycast address while a syslog daemon passes messages on',
  table: syslogOptions,
  examples: [
    {
      command: 'syslog-probe',
      meaning: 'send to 127.0.0.1:5514, wait for it on 127.0.0.1:5515, and print the verdict',
    },
    {
      command: 'syslog-probe -a 192.0.2.1 --send unix:/dev/log',
      meaning: 'advertise 192.0.2.1 while what is sent to /dev/log comes back',
    },
  ],
  prepare: prepareSyslog,
  probe: probeSyslog,
});

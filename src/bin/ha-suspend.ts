import { suspendOptions } from '../lib/cli/ha-options.ts';
import { haSuspend } from '../lib/cli/ha-suspend.ts';
import { haStatuses, runHaProgram } from '../lib/cli/run-ha-program.ts';

void runHaProgram({
  name: 'ha-suspend',
  summary: 'Take instances out of service for maintenance, losing no query',
  synopsis: 'INSTANCE…|--all [-- COMMAND [ARG…]]',
  table: suspendOptions,
  examples: [
    {
      command: 'ha-suspend dns-probe -- systemctl restart unbound',
      meaning: 'withdraw, drain, restart, and come back when probes succeed',
    },
    {
      command: "ha-suspend --all --for 2h --reason 'new switch' --across-reboot",
      meaning: 'take the whole node out for two hours at most',
    },
  ],
  epilogue: haStatuses([
    [0, 'the kernel shows that the addresses are out, and the drain is over'],
    ["COMMAND's", 'its own exit status; 126, 127 or 128 + N as in a shell'],
  ]),
  run: haSuspend,
});

import { haGuard } from '../lib/cli/ha-guard.ts';
import { guardOptions } from '../lib/cli/ha-options.ts';
import { haStatuses, runHaProgram } from '../lib/cli/run-ha-program.ts';

void runHaProgram({
  name: 'ha-guard',
  summary: 'Tie instances to the systemd units of their services, which take them along',
  synopsis: 'INSTANCE --unit UNIT | --remove INSTANCE… | --list',
  table: guardOptions,
  examples: [
    {
      command: 'ha-guard recursive --unit unbound.service',
      meaning: 'a restart of Unbound loses no query, and a crash is withdrawn at once',
    },
    { command: 'ha-guard --list', meaning: 'which units take which instances along' },
  ],
  epilogue: haStatuses([
    [0, 'done, or nothing to do; with --list all ties are as they should be'],
    [1, 'a tie does not do what it is for'],
    [69, 'systemd does not know the unit, or cannot be asked'],
  ]),
  run: haGuard,
});

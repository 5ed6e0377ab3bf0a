import { resumeOptions } from '../lib/cli/ha-options.ts';
import { haResume } from '../lib/cli/ha-resume.ts';
import { haStatuses, runHaProgram } from '../lib/cli/run-ha-program.ts';

void runHaProgram({
  name: 'ha-resume',
  summary: 'Bring instances back that ha-suspend took out',
  synopsis: 'INSTANCE…|--all',
  table: resumeOptions,
  examples: [
    {
      command: 'ha-resume dns-probe --wait 30s',
      meaning: 'resume, and return when the address is advertised again',
    },
    {
      command: 'ha-resume --all --everyone',
      meaning: 'end all suspensions of this node',
    },
  ],
  epilogue: haStatuses([
    [0, 'resumed, or nothing to resume; with --wait also advertised again'],
    [1, 'with --wait: not advertised in time'],
  ]),
  run: haResume,
});

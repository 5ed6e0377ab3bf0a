import { appendFileSync, chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Network } from './matrix/network.mjs';
import { Play } from './matrix/play.mjs';
import { Routing, SPEAKERS } from './matrix/routing.mjs';
import { SERVICES } from './matrix/services.mjs';
import { renderMatrix } from './matrix/table.mjs';

const HELP = `Usage: scripts/bench matrix [OPTION...]

What a planned withdrawal loses with each service: a client behind a router asks the service every
10 ms by each transport and family, while ha-suspend takes the near one of two nodes out and
ha-resume puts it back. Prints a table of lost questions, out + back, and where there are more runs
the most. Needs root, and pdns-recursor beside what scripts/check installs. A run takes half a
minute; all of it a quarter of an hour.

  --runs N        of each row (default: 1)
  --service TEXT  services whose name contains it (default: all)
  --routing NAME  the near node's routing daemon: frr, bird (this machine's) or frr13 (that of the
                  Debian 13 root that scripts/check makes); repeatable (default: all)
  --drain N       seconds of drain (default: 10)
  --late N        the router goes on sending to the near node for N seconds, as in a network that is
                  slow to hear: what the service answers in both halves of the drain (default: 0)
  --every N       ms between two questions (default: 10)
  --output FILE   append each run to it, as a line of JSON: when what was lost, the sockets of the
                  service before, during and after the drain, what the kernels told, the load
  --report FILE   print the table of what such a file has, and end
  --keep          do not remove the folder with logs and configurations, and say where it is
`;

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1' },
    service: { type: 'string', default: '' },
    routing: { type: 'string', multiple: true },
    drain: { type: 'string', default: '10' },
    late: { type: 'string', default: '0' },
    every: { type: 'string', default: '10' },
    output: { type: 'string' },
    report: { type: 'string' },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

/** @typedef {import('./matrix/table.mjs').Run} Run */

if (values.help) process.stdout.write(HELP);
else if (values.report !== undefined) {
  const lines = readFileSync(values.report, 'utf8').trim().split('\n');
  console.log(renderMatrix(lines.map((line) => /** @type {Run} */ (JSON.parse(line)))));
} else await bench();

async function bench() {
  /** @type {Run[]} */
  const runs = [];
  const speakers = SPEAKERS.filter((it) => values.routing?.includes(it) ?? true);
  for (const speaker of speakers) {
    const folder = mkdtempSync(path.join(tmpdir(), 'anycast-ha-matrix-'));
    chmodSync(folder, 0o755); // daemons give up root
    const network = new Network(`${process.pid}`);
    const remove = async () => {
      await network.down();
      if (values.keep) console.error(`${speaker}: ${folder}`);
      else rmSync(folder, { recursive: true, force: true });
    };
    /** @param {NodeJS.Signals} signal */
    const leave = (signal) => {
      console.error(`${signal}: cleaning up`);
      void remove().finally(() => process.exit(130));
    };
    process.once('SIGINT', leave).once('SIGTERM', leave);
    try {
      await network.up();
      await new Routing(network, folder).start(speaker);
      for (const service of SERVICES.filter(({ name }) => name.includes(values.service))) {
        for (let number = 1; number <= Number(values.runs); number += 1) {
          const play = new Play(network, path.join(folder, 'play'), service);
          const run = { service: service.name, speaker, ...(await outcome(play)) };
          runs.push(run);
          console.error(
            renderMatrix([run]).split('\n').at(-1),
            run.error ?? run.played?.said ?? '',
          );
          if (values.output !== undefined)
            appendFileSync(values.output, `${JSON.stringify(run)}\n`);
        }
      }
    } finally {
      process.off('SIGINT', leave).off('SIGTERM', leave);
      await remove();
    }
  }
  console.log(renderMatrix(runs));
  if (runs.some(({ error }) => error !== undefined)) process.exitCode = 1;
}

/**
 * @param {Play} play
 * @returns {Promise<Pick<Run, 'played' | 'error'>>}
 */
async function outcome(play) {
  try {
    const setting = {
      drainSeconds: Number(values.drain),
      everyMs: Number(values.every),
      lateSeconds: Number(values.late),
    };
    return { played: await play.run(setting) };
  } catch (error) {
    return { error: String(error) };
  }
}

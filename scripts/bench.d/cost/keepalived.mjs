import { writeFileSync } from 'node:fs';
import { median, runInTurn } from './measure.mjs';

/** How long keepalived runs for one figure. It starts a script once a second. */
const SECONDS = 15;
const ROUNDS = 3;

/**
 * What keepalived's running of a track_script costs for each run, the script included: what a
 * keepalived with the script takes more than one without, from start to end, its children included.
 *
 * @param {readonly (readonly string[])[]} scripts
 * @returns {{ cpuMs: number, peakMb: number }[]} one per script; peakMb: of the keepalived that is
 *   always there
 */
export function costOfTrackScripts(scripts) {
  const [without = [], ...tracking] = runInTurn(ROUNDS, [
    command('without', configuration('', '')),
    ...scripts.map((script, index) =>
      command(
        String(index),
        configuration(
          `vrrp_script ask {
  script "${script.join(' ')}"
  interval 1
  timeout 1
  user root
}`,
          `track_script {
    ask
  }`,
        ),
      ),
    ),
  ]);
  return tracking.map((runs) => ({
    cpuMs: median(runs.map(({ cpuMs }, round) => cpuMs - (without[round]?.cpuMs ?? NaN))) / SECONDS,
    peakMb: median(runs.map(({ peakMb }) => peakMb)),
  }));
}

/**
 * @param {string} name
 * @param {string} text
 * @returns {readonly string[]}
 */
function command(name, text) {
  const file = `/run/bench/keepalived-${name}`;
  writeFileSync(`${file}.conf`, text);
  const pids = ['-p', `${file}.pid`, '-r', `${file}-vrrp.pid`];
  const keepalived = ['keepalived', '--vrrp', '--dont-fork', '--use-file', `${file}.conf`, ...pids];
  return ['/usr/bin/timeout', '--preserve-status', '-s', 'TERM', String(SECONDS), ...keepalived];
}

/**
 * A router of its own that is master at once, and whose address nobody else sees.
 *
 * @param {string} script
 * @param {string} track
 */
function configuration(script, track) {
  return `
global_defs {
  enable_script_security
}
${script}
vrrp_instance bench {
  interface near
  state MASTER
  priority 100
  virtual_router_id 51
  virtual_ipaddress {
    203.0.113.1/32 dev lo
  }
  ${track}
}
`;
}

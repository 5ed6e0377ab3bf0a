import { accessSync, constants } from 'node:fs';
import * as v from 'valibot';
import type { RunCommand } from '../system/command.ts';
import { errnoOf } from '../system/errors.ts';

/** How FRR's OSPF on this node goes about a change, for the addresses of one family. */
export interface OspfTimers {
  readonly family: 4 | 6;
  /** How long it waits before it computes routes anew, after a quiet time. */
  readonly delayMs: number;
  /** How long at least from one such run to the next. */
  readonly holdMs: number;
  /** What it announces as inter-area routes (type 3 LSAs), or did so until a moment ago. */
  readonly interArea: ReadonlySet<string>;
}

const VERSION_2 = v.object({ spfScheduleDelayMsecs: v.number(), holdtimeMinMsecs: v.number() });
const VERSION_3 = v.object({ spfScheduleDelayMsecs: v.number(), holdTimeMinMsecs: v.number() });

/** LSAs of the node's own by area, then by address. One that is withdrawn stays for a minute. */
const SUMMARIES = v.object({
  'Summary Link States': v.record(v.string(), v.record(v.string(), v.unknown())),
});

/** No longer than the default drain: `ha-suspend` waits that long in any case. */
const ASKING_MS = 5000;

/** Where FRR's own files are, which are those of its user and group. */
const FRR_FOLDER = '/etc/frr';

/**
 * Asks FRR, by vtysh, for the timers of OSPF on this node. Takes five seconds at most.
 *
 * @param folder of FRR's files: where we may not read them, as root in a sandbox may not, vtysh is
 *   not tried, for all it does is complain to the system's log
 * @returns none where there is no vtysh, no permission, no OSPF, or an answer that is not understood
 */
export async function readOspfTimers(
  run: RunCommand,
  folder = FRR_FOLDER,
): Promise<readonly OspfTimers[]> {
  if (isClosed(folder)) return [];
  const ask = async (command: string): Promise<unknown> => {
    const asked = ['-c', `${command} json`];
    const { exitCode, stdout } = await run('vtysh', asked, { timeoutMs: ASKING_MS });
    return exitCode === 0 ? jsonOf(stdout) : undefined;
  };
  const [version2, summaries, version3] = await Promise.all([
    ask('show ip ospf').then((answer) => v.safeParse(VERSION_2, answer)),
    ask('show ip ospf database summary self-originate').then((answer) =>
      v.safeParse(SUMMARIES, answer),
    ),
    ask('show ipv6 ospf6').then((answer) => v.safeParse(VERSION_3, answer)),
  ]);
  const areas = summaries.success ? Object.values(summaries.output['Summary Link States']) : [];
  const timers: OspfTimers[] = [];
  if (version2.success) {
    const { spfScheduleDelayMsecs: delayMs, holdtimeMinMsecs: holdMs } = version2.output;
    const interArea = new Set(areas.flatMap((area) => Object.keys(area)));
    timers.push({ family: 4, delayMs, holdMs, interArea });
  }
  if (version3.success) {
    const { spfScheduleDelayMsecs: delayMs, holdTimeMinMsecs: holdMs } = version3.output;
    timers.push({ family: 6, delayMs, holdMs, interArea: new Set() });
  }
  return timers;
}

function isClosed(folder: string): boolean {
  try {
    accessSync(folder, constants.R_OK | constants.X_OK);
    return false;
  } catch (error) {
    return errnoOf(error) === 'EACCES';
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

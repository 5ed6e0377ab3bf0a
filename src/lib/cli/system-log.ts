import type { RunCommand } from '../system/command.ts';
import type { Log } from '../system/log.ts';
import type { Login } from '../system/login.ts';
import { printable } from './output.ts';

const LIMIT_MS = 2000;

/** A log whose notices are kept as well, for the system's log. */
export interface KeptLog {
  readonly log: Log;
  /** What was said since the last time this was asked. */
  take(): readonly string[];
}

/** Keeps what a log is told that others should find later. */
export function keepNotices(log: Log): KeptLog {
  const said: string[] = [];
  return {
    take: () => said.splice(0),
    log: {
      ...log,
      notice: (message) => {
        said.push(message);
        log.notice(message);
      },
    },
  };
}

/**
 * Writes lines to the system's log, with who did it, so that whoever looks into a node that is out
 * finds the name. Where there is no such log nothing happens.
 *
 * @param name of the program
 * @param isJournal whether what is said on stderr is in the journal already
 */
export async function tellSystemLog(
  name: string,
  lines: readonly string[],
  { login, uid }: Login,
  isJournal: boolean,
  run: RunCommand,
): Promise<void> {
  if (lines.length === 0 || isJournal) return;
  const args = ['--tag', name, `--id=${process.pid}`, '--priority', 'daemon.notice'];
  const text = lines.map((line) => `${printable(line)} (${login}, uid ${uid})\n`).join('');
  await run('logger', args, { input: text, timeoutMs: LIMIT_MS });
}

import type { RunCommand } from '../system/command.ts';
import { together } from './window.ts';

/** What became of one line of a batch: undefined when the kernel took it, else its error. */
export type LineResult = string | undefined;

/** Hands lines to `ip -batch`, in order. */
export type IpBatch = (lines: readonly string[]) => Promise<readonly LineResult[]>;

const TIMEOUT_MS = 5000;

/**
 * A way to change the kernel with one process for all lines that are handed over within a window,
 * so that many instances in one process share it. Lines of one call stay together and in order.
 *
 * @param windowMs how long a batch is held open for others; 0 runs at once
 */
export function ipBatch(run: RunCommand, windowMs: number): IpBatch {
  return together((lines) => runLines(run, lines), windowMs);
}

async function runLines(run: RunCommand, lines: readonly string[]): Promise<readonly LineResult[]> {
  // -force: go on behind a line that fails, for each address stands on its own.
  const result = await run('ip', ['-force', '-batch', '-'], {
    input: `${lines.join('\n')}\n`,
    timeoutMs: TIMEOUT_MS,
  });
  if (result.exitCode === 0) return lines.map(() => undefined);
  const errors = errorsByLine(result.stderr);
  if (result.failure === undefined && errors.size > 0) {
    return lines.map((_, index) => errors.get(index + 1));
  }
  const message =
    result.failure ?? (result.stderr.trim() || `ip ended with ${result.exitCode ?? '?'}`);
  return lines.map((_, index) => errors.get(index + 1) ?? message);
}

/**
 * The errors of `ip -force -batch` by the number of their line, from 1. It writes the reason, then
 * `Command failed -:LINE`.
 */
export function errorsByLine(stderr: string): ReadonlyMap<number, string> {
  const errors = new Map<number, string>();
  let reason: string[] = [];
  for (const text of stderr.split('\n')) {
    const failed = /^Command failed .*:(\d+)$/.exec(text);
    if (failed === null) {
      if (text.trim() !== '') reason.push(text.trim());
      continue;
    }
    errors.set(Number(failed[1]), reason.join('; ') || 'ip gave no reason');
    reason = [];
  }
  return errors;
}

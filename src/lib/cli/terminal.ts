import { WriteStream, isatty } from 'node:tty';

const DEFAULT_WIDTH = 80;
const WIDEST = 100; // longer lines are hard to read

/** Columns of the terminal on stdout, at most 100; 80 where there is none. */
export function terminalWidth(): number {
  if (!isatty(1)) return DEFAULT_WIDTH;
  return Math.min(new WriteStream(1).columns || DEFAULT_WIDTH, WIDEST);
}

const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
];

/** Longer than any sensible setting, and below what a timer and the kernel take (2^31 ms). */
const LONGEST_MS = 24 * 86_400_000;

/**
 * Reads a duration such as `500ms`, `2s`, `5m`, `1h`, `1.5s`; `0` needs no unit.
 *
 * @returns milliseconds, a whole number
 * @throws RangeError with a message that fits behind the name of a flag
 */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text === '0' ? '0s' : text);
  const scale = UNITS.find(([unit]) => unit === match?.[2])?.[1];
  if (match?.[1] === undefined || scale === undefined) {
    throw new RangeError(`'${text}' is no duration (write 500ms, 2s, 5m or 1h)`);
  }
  const ms = Math.round(Number(match[1]) * scale);
  if (ms > LONGEST_MS) throw new RangeError(`'${text}' is longer than 24d`);
  return ms;
}

/** Writes milliseconds for people, in at most two units: `350ms`, `2s`, `4m10s`, `3d2h`. */
export function formatDuration(ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (Math.round(ms) < 1000) return `${Math.round(ms)}ms`;
  let rest = ms < 10_000 ? Math.round(ms / 100) * 100 : Math.round(ms / 1000) * 1000;
  const parts: string[] = [];
  for (const [unit, scale] of UNITS) {
    if (rest < scale && parts.length === 0) continue;
    if (unit === 'ms' || parts.length === 2) break;
    const amount = unit === 's' && ms < 10_000 ? rest / scale : Math.floor(rest / scale);
    rest -= amount * scale;
    if (amount > 0) parts.push(`${amount}${unit}`);
  }
  return parts.join('');
}

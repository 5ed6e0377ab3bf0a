/**
 * Makes text from elsewhere fit to be shown: on one line, without control and format characters
 * (which could rewrite a terminal's screen or forge a line of the journal), and bounded.
 *
 * @param maxLength in characters; what is cut is marked with an ellipsis
 */
export function printable(text: string, maxLength: number): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]+/gu, ' ').trim();
  if (line.length <= maxLength) return line;
  return `${line.slice(0, maxLength).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

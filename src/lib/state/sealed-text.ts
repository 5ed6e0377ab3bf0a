/**
 * JSON with a checksum over it as its first member, so that a file that was damaged is told from
 * one that was written. It guards against accidents; against people the folder's owner does.
 */

const SEALED = /^\{"sum":"([0-9a-f]{8})",(.*)\}\n?$/s;

/** Seals the text of a JSON object that has members. */
export function seal(json: string): string {
  const members = json.slice(1, -1);
  return `{"sum":"${checksum(members)}",${members}}`;
}

/** The JSON text of what was sealed, or undefined when it is not as it was written. */
export function unseal(text: string): string | undefined {
  const [, sum, members = ''] = SEALED.exec(text) ?? [];
  return sum === checksum(members) ? `{${members}}` : undefined;
}

/** 32-bit FNV-1a over the code units, in hexadecimal. */
function checksum(text: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}

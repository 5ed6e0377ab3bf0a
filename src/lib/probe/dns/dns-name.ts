import { randomHex } from '../../system/random.ts';

/** Names in their text form (RFC 1035 section 5.1) and on the wire (section 3.1). */

const PLACEHOLDER = '{nonce}';
/** 128 bits: no two questions ever share a name. */
const NONCE_BYTES = 16;

// RFC 1035 section 2.3.4
const LONGEST_LABEL = 63;
const LONGEST_WIRE_NAME = 255;

/** One byte of a label, as itself or escaped, or the dot between two labels. */
const CHARACTER =
  /\\(?<decimal>\d{3})|\\(?<escaped>[!-/:-~])|(?<dot>\.)|(?<plain>[A-Za-z0-9_*+/-])/y;

/**
 * Reads a name that may hold `{nonce}`, `\.` or another escaped character, and `\DDD` for a byte.
 *
 * @returns the same name with its trailing dot
 * @throws RangeError with a message that fits behind the name of a flag
 */
export function parseName(text: string): string {
  if (text === '') throw new RangeError('must be a name, or a name and a type');
  if (text === '.') return text;
  const labels = labelsOf(text.replaceAll(PLACEHOLDER, '0'.repeat(NONCE_BYTES * 2)), text);
  const isAbsolute = labels.length > 1 && labels.at(-1)?.length === 0;
  const named = isAbsolute ? labels.slice(0, -1) : labels;
  if (named.some(({ length }) => length === 0))
    throw new RangeError(`'${text}' has an empty label`);
  if (named.some(({ length }) => length > LONGEST_LABEL)) {
    throw new RangeError(`'${text}' has a label of more than ${LONGEST_LABEL} characters`);
  }
  if (wireOf(named).length > LONGEST_WIRE_NAME) {
    throw new RangeError(`'${text}' is longer than ${LONGEST_WIRE_NAME - 2} characters`);
  }
  return isAbsolute ? text : `${text}.`;
}

/** The name to ask for now: every placeholder becomes a random text of its own. */
export function instantiateName(name: string): string {
  return name.replaceAll(PLACEHOLDER, () => randomHex(NONCE_BYTES));
}

/** The wire form of a name that `parseName` made, without a placeholder. */
export function encodeName(name: string): Buffer {
  return wireOf(name === '.' ? [] : labelsOf(name, name).slice(0, -1));
}

/** @param whole as it was given, for messages */
function labelsOf(text: string, whole: string): readonly (readonly number[])[] {
  const labels: number[][] = [[]];
  for (CHARACTER.lastIndex = 0; CHARACTER.lastIndex < text.length;) {
    const at = CHARACTER.lastIndex;
    const groups = CHARACTER.exec(text)?.groups;
    if (groups === undefined) throw new RangeError(refusal(text.slice(at), whole));
    const { decimal, escaped, dot, plain } = groups;
    if (Number(decimal ?? 0) > 255)
      throw new RangeError(`'${whole}': \\${decimal ?? ''} is no byte`);
    if (dot !== undefined) labels.push([]);
    else labels.at(-1)?.push(byteOf(decimal, escaped ?? plain ?? ''));
  }
  return labels;
}

function byteOf(decimal: string | undefined, character: string): number {
  return decimal === undefined ? character.charCodeAt(0) : Number(decimal);
}

function refusal(rest: string, whole: string): string {
  return rest.startsWith('\\')
    ? `'${whole}': a backslash stands before three digits or before another character (RFC 1035)`
    : `'${whole}' has other characters than letters, digits and - _ * + / (write an international name in its xn-- form, any other byte as \\DDD)`;
}

function wireOf(labels: readonly (readonly number[])[]): Buffer {
  return Buffer.from([...labels.flatMap((label) => [label.length, ...label]), 0]);
}

/** More names that only point to the next than any compression leads to (it leads to one). */
export const LONGEST_POINTER_CHAIN = 64;

/**
 * The labels of a name in a message, wherever its pointers lead: each has to lead back, and no name
 * has more than 255 bytes (RFC 1035 sections 2.3.4 and 4.1.4).
 *
 * @throws RangeError where there is no such name
 */
export function labelsAt(message: Buffer, start: number): readonly Buffer[] {
  const labels: Buffer[] = [];
  let at = start;
  let bytes = 1;
  for (let pointers = 0; ;) {
    const length = message.readUInt8(at);
    if (length === 0) return labels;
    if (length >= 0xc0) {
      const target = message.readUInt16BE(at) & 0x3fff;
      pointers += 1;
      if (target >= at || pointers > LONGEST_POINTER_CHAIN) {
        throw new RangeError('a name whose pointers lead nowhere');
      }
      at = target;
      continue;
    }
    bytes += 1 + length;
    if (length > LONGEST_LABEL || bytes > LONGEST_WIRE_NAME) {
      throw new RangeError('a name that is no name');
    }
    labels.push(message.subarray(at + 1, at + 1 + length));
    at += 1 + length;
  }
}

/** The text form of a name, with a trailing dot; bytes that are no plain ASCII are escaped. */
export function formatName(labels: readonly Buffer[]): string {
  if (labels.length === 0) return '.';
  return labels.map((label) => `${[...label].map(formatByte).join('')}.`).join('');
}

function formatByte(byte: number): string {
  if (byte <= 0x20 || byte >= 0x7f) return `\\${String(byte).padStart(3, '0')}`;
  const character = String.fromCharCode(byte);
  return /[.\\"();@$]/.test(character) ? `\\${character}` : character;
}

import { nearest } from '../../options/nearest.ts';
import { regularExpression, someOf, wholeNumber } from '../../options/value-parsers.ts';
import type { DnsExpectation } from './dns-judge.ts';
import { RCODES, type RcodeName } from './dns-numbers.ts';

/** Response codes by name, separated by commas. */
export const rcodeList = someOf(...Object.keys(RCODES).filter(isRcodeName));
export const answerCount = wholeNumber(0, 65_535);
export const headerFlags = someOf('ra', 'ad', 'aa');

/** What a query says of its answer itself; the rest is as the options of all queries say. */
export type OwnExpectation = Partial<
  Pick<DnsExpectation, 'rcodes' | 'minAnswers' | 'answerPattern' | 'requiredFlags'>
>;

const KEYS = ['rcode', 'answer', 'min-answers', 'flag'] as const;

/** The next `KEY=VALUE`: a value between slashes may hold blanks, and slashes behind a backslash. */
const ITEM =
  /[ \t]*(?<key>[^ \t=]*)=(?<value>\/(?:[^\\/]|\\.)*\/(?=[ \t]|$)|\/[^ \t]*\/(?=[ \t]|$)|\/.*|[^ \t]*)/y;

/**
 * Reads `rcode=NAME,… answer=/REGEX/ min-answers=N flag=NAME,…`, in any order.
 *
 * @throws RangeError with a message that fits behind the name of a flag
 */
export function parseExpectations(text: string): OwnExpectation {
  const given = new Map<string, string[]>();
  const items = text.trimEnd();
  for (ITEM.lastIndex = 0; ITEM.lastIndex < items.length;) {
    const rest = items.slice(ITEM.lastIndex).trim();
    const { key = '', value = '' } = ITEM.exec(items)?.groups ?? { key: rest };
    if (!KEYS.some((known) => known === key)) throw new RangeError(unknownKey(key));
    given.set(key, [...(given.get(key) ?? []), value]);
  }
  const rcodes = all(given, 'rcode', rcodeList).map((name) => RCODES[name]);
  const requiredFlags = all(given, 'flag', headerFlags);
  const [answerPattern] = once(given, 'answer', parsePattern);
  const [minAnswers] = once(given, 'min-answers', answerCount);
  return {
    ...(rcodes.length === 0 ? {} : { rcodes }),
    ...(requiredFlags.length === 0 ? {} : { requiredFlags }),
    ...(answerPattern === undefined ? {} : { answerPattern }),
    ...(minAnswers === undefined ? {} : { minAnswers }),
  };
}

/**
 * What the answer to a query has to be. Where the query wants another response code than NOERROR,
 * what all queries want of the records is not meant for it.
 */
export function expectationOf(own: OwnExpectation, general: DnsExpectation): DnsExpectation {
  const isAboutRecords = own.rcodes?.includes(RCODES.NOERROR) ?? true;
  const common = isAboutRecords
    ? general
    : { ...general, minAnswers: undefined, answerPattern: undefined };
  return { ...common, ...own };
}

function isRcodeName(name: string): name is RcodeName {
  return name in RCODES;
}

function parsePattern(text: string): RegExp {
  const pattern = /^\/(.+)\/$/.exec(text)?.[1];
  if (pattern === undefined) {
    throw new RangeError(`'${text}' is no /REGEX/ (a slash within it is written \\/)`);
  }
  return regularExpression(pattern);
}

type Given = ReadonlyMap<string, readonly string[]>;

function once<T>(given: Given, key: string, parse: (text: string) => T): readonly T[] {
  const texts = given.get(key) ?? [];
  if (texts.length > 1) throw new RangeError(`${key}= is there twice`);
  return texts.map((text) => read(key, parse, text));
}

function all<T>(given: Given, key: string, parse: (text: string) => readonly T[]): readonly T[] {
  return (given.get(key) ?? []).flatMap((text) => read(key, parse, text));
}

function read<T>(key: string, parse: (text: string) => T, text: string): T {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new RangeError(`${key}=: ${error.message}`, { cause: error });
  }
}

function unknownKey(key: string): string {
  const meant = nearest(key, KEYS);
  const hint = meant === undefined ? '' : ` (did you mean ${meant}=?)`;
  return `'${key}' is none of ${KEYS.map((known) => `${known}=`).join(', ')}${hint}`;
}

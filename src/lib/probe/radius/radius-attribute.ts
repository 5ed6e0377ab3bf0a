import radius from 'radius';
import type { ValueParser } from '../../options/option.ts';
import { nearest } from '../../options/nearest.ts';

/** An attribute of the request, by its name in the dictionaries of RFC 2865, 2866 and 2869. */
export type GivenAttribute = readonly [name: string, value: Buffer];

/** What another option sets, or nobody may: by name, what to use in its place. */
const NOT_HERE: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'User-Name': 'is what --user is for',
    'User-Password': 'is what --password-file is for',
    'CHAP-Password': 'is what --auth chap and --password-file are for',
    'CHAP-Challenge': 'is made for each question with --auth chap',
    'NAS-Identifier': 'is what --nas-identifier is for',
    'Message-Authenticator': 'is made for each question',
    'Acct-Status-Type': 'is Stop in mode accounting',
    'Acct-Session-Id': 'is the same for all probes of a node',
  }),
);

/** RFC 2865 section 5: one byte of type, one of length, and up to 253. */
const LONGEST_VALUE = 253;
const HIGHEST_TYPE = 255;

/**
 * `NAME=VALUE`: a text, an address, a number, the name of a value (`Service-Type=Framed-User`), or
 * bytes as `0x…`, by what the dictionary says of the attribute.
 */
export const radiusAttribute: ValueParser<GivenAttribute> = Object.assign(
  (given: string): GivenAttribute => {
    const [, name, text] = /^([^=]*)=(.*)$/s.exec(given) ?? [];
    if (name === undefined || text === undefined) {
      throw new RangeError(`'${given}' is not NAME=VALUE, such as NAS-Port-Type=Ethernet`);
    }
    const refusal = NOT_HERE.get(name);
    if (refusal !== undefined) throw new RangeError(`'${name}' ${refusal}`);
    radius.load_dictionaries();
    // The package knows numbers for names, too.
    const isKnown = /^[A-Za-z]/.test(name) && radius.attr_name_to_id(name) !== undefined;
    if (!isKnown) throw new RangeError(unknownName(name));
    const value = valueOf(name, text);
    if (value.length === 0) throw new RangeError(`'${given}' has no value`);
    if (value.length > LONGEST_VALUE) {
      throw new RangeError(`the value of '${name}' is longer than ${LONGEST_VALUE} bytes`);
    }
    return [name, value];
  },
  { metavar: 'NAME=VALUE' },
);

function valueOf(name: string, text: string): Buffer {
  if (/^0x(?:[\dA-Fa-f]{2})+$/.test(text)) return Buffer.from(text.slice(2), 'hex');
  switch (kindOf(name)) {
    case 'text':
      return Buffer.from(text);
    case 'address': {
      const isAddress = /^\d{1,3}(?:\.\d{1,3}){3}$/.test(text);
      const bytes = text.split('.').map(Number);
      if (isAddress && bytes.every((byte) => byte <= 255)) return Buffer.from(bytes);
      throw new RangeError(`'${text}' is no IPv4 address, as '${name}' wants one`);
    }
    case 'number': {
      const isPlain = /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32;
      const value = isPlain || /^[A-Za-z]/.test(text) ? encoded(name, text) : undefined;
      if (value !== undefined) return value;
      throw new RangeError(
        `'${text}' is neither a number nor a value that '${name}' has a name for`,
      );
    }
    case 'bytes':
      throw new RangeError(`'${text}' is not 0x and hexadecimal digits, as '${name}' wants them`);
  }
}

/** The package tells no types, but encodes by them: a text takes what an address is written like. */
function kindOf(name: string): 'text' | 'address' | 'number' | 'bytes' {
  const sample = encoded(name, '1.2.3.4');
  if (sample !== undefined) return sample.length === 4 ? 'address' : 'text';
  return encoded(name, '1') === undefined ? 'bytes' : 'number';
}

/** The value as the package puts it into a packet; undefined where it does not. */
function encoded(name: string, value: string): Buffer | undefined {
  try {
    const packet = radius.encode({
      code: 'Access-Request',
      secret: Buffer.from('x'),
      identifier: 0,
      authenticator: Buffer.alloc(16),
      add_message_authenticator: false,
      attributes: [[name, value]],
    });
    return packet.subarray(22); // behind the header, the type and the length
  } catch {
    return undefined;
  }
}

function unknownName(name: string): string {
  const known = Array.from({ length: HIGHEST_TYPE }, (_, index) =>
    radius.attr_id_to_name(index + 1),
  ).filter((each) => each !== undefined);
  const meant = nearest(
    name.toLowerCase(),
    known.map((each) => each.toLowerCase()),
  );
  const likely = known.find((each) => each.toLowerCase() === meant);
  const hint = likely === undefined ? '' : ` (did you mean ${likely}?)`;
  return `'${name}' is no attribute of RFC 2865, 2866 or 2869${hint}`;
}

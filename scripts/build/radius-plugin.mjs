import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * The package `radius` reads its dictionaries from beside itself at run time, and uses the
 * deprecated Buffer constructor, about which Node warns outside node_modules. In the bundle it
 * gets the few dictionaries that are needed as they are after parsing, and Buffer's functions.
 *
 * Everything here is tied to the text of version 1.1.4: another text fails the build.
 */
const PACKAGE_SHA256 = '65c409cfb015d476f79813e69dc6b3a018c57b74759f9c90d7bf55f4026eea8f';

/** What RFC 2865, 2866 and 2869 define: the attributes of the questions that radius-probe asks. */
const DICTIONARIES = ['dictionary.rfc2865', 'dictionary.rfc2866', 'dictionary.rfc2869'];
const DICTIONARIES_SHA256 = '6e433826491e48fb6dc5f9579f66cc998eb3ab1daec4100cb631cdaad8563f37';

/** @type {readonly (readonly [from: string, to: string, times: number])[]} */
const REPLACEMENTS = [
  // Sizes: the memory of Buffer's constructor was not cleared, that of alloc is.
  ['new Buffer(AUTH_LENGTH)', 'Buffer.alloc(AUTH_LENGTH)', 3],
  ['new Buffer(MESSAGE_AUTHENTICATOR_LENGTH)', 'Buffer.alloc(MESSAGE_AUTHENTICATOR_LENGTH)', 2],
  ['new Buffer(len + 15 - ((15 + len) % 16))', 'Buffer.alloc(len + 15 - ((15 + len) % 16))', 1],
  ['new Buffer(0)', 'Buffer.alloc(0)', 1],
  ['new Buffer(4)', 'Buffer.alloc(4)', 1],
  ['new Buffer(16)', 'Buffer.alloc(16)', 1],
  ['new Buffer(4096)', 'Buffer.alloc(4096)', 1],
  // Contents.
  ['new Buffer([0, 0, 0, 0])', 'Buffer.from([0, 0, 0, 0])', 1],
  ['new Buffer(hasher.digest("binary"), "binary")', 'hasher.digest()', 2],
  ["new Buffer(hmac.digest('binary'), 'binary')", 'hmac.digest()', 1],
  ['new Buffer(in_value + "", "utf8")', 'Buffer.from(in_value + "", "utf8")', 1],
  ['new Buffer(in_value.split("."))', 'Buffer.from(in_value.split("."))', 1],
  // Files.
  ['var fs = require("fs");\n', '', 1],
  ['var path = require("path");\n', '', 1],
  ['var dictionary_locations = [path.normalize(__dirname + "/../dictionaries")];\n', '', 1],
  ['var dictionaries_state = NOT_LOADED;', 'var dictionaries_state = LOADED;', 1],
];

/** The functions that read files lie between these. */
const FIRST_FILE_FUNCTION = 'Radius.add_dictionary = ';
const AFTER_FILE_FUNCTIONS = 'Radius.attr_name_to_id = ';

/**
 * One attribute as the package keeps it: number, name, type, names of its values by number,
 * numbers by name, modifiers.
 *
 * @typedef {[string, string, string, object, object, object]} Entry
 */

/** @type {import('esbuild').Plugin} */
export const radiusPlugin = {
  name: 'radius-without-files',
  setup(build) {
    build.onLoad({ filter: /[\\/]radius[\\/]lib[\\/]radius\.js$/ }, ({ path: file }) => {
      const source = readFileSync(file, 'utf8');
      requireSha256(file, source, PACKAGE_SHA256);
      const folder = path.join(path.dirname(file), '../dictionaries');
      const dictionaries = DICTIONARIES.map((name) =>
        readFileSync(path.join(folder, name), 'utf8'),
      ).join('');
      requireSha256(folder, dictionaries, DICTIONARIES_SHA256);
      return { contents: withoutFiles(source, parse(source, dictionaries)), loader: 'js' };
    });
  },
};

/**
 * @param {string} what
 * @param {string} text
 * @param {string} sha256
 */
function requireSha256(what, text, sha256) {
  const found = createHash('sha256').update(text).digest('hex');
  if (found !== sha256) {
    throw new Error(`${what} has changed (sha256 ${found}): go through ${import.meta.filename}`);
  }
}

/**
 * Parses dictionaries with the package's own parser.
 *
 * @param {string} source of the package
 * @param {string} dictionaries their text
 * @returns {Entry[]}
 */
function parse(source, dictionaries) {
  const parser = new Function(
    'require',
    'module',
    '__dirname',
    'dictionaries',
    `${source}; Radius._load_dictionary(dictionaries); return attributes_map[NO_VENDOR];`,
  );
  /** @type {Record<string, Entry>} */
  const byNumberAndName = parser(process.getBuiltinModule, {}, '/', dictionaries);
  return [...new Set(Object.values(byNumberAndName))];
}

/**
 * @param {string} source
 * @param {readonly Entry[]} entries
 */
function withoutFiles(source, entries) {
  const from = source.indexOf(FIRST_FILE_FUNCTION);
  const to = source.indexOf(AFTER_FILE_FUNCTIONS);
  let text = `${source.slice(0, from)}
Radius.load_dictionaries = function() {};
attributes_map[NO_VENDOR] = {};
[
${entries.map((entry) => JSON.stringify(entry)).join(',\n')}
].forEach(function(entry) {
  attributes_map[NO_VENDOR][entry[ATTR_ID]] = entry;
  attributes_map[NO_VENDOR][entry[ATTR_NAME]] = entry;
});

${source.slice(to)}`;
  for (const [before, after, times] of REPLACEMENTS) {
    const parts = text.split(before);
    if (parts.length - 1 !== times) {
      throw new Error(`radius: '${before}' stands ${parts.length - 1} times, expected ${times}`);
    }
    text = parts.join(after);
  }
  for (const gone of ['new Buffer', '__dirname', 'fs.', 'path.']) {
    if (text.includes(gone)) throw new Error(`radius: '${gone}' is still there`);
  }
  return text;
}

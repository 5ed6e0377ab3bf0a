import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import path from 'node:path';
import { build } from 'esbuild';
import { helpPlugin } from './help-plugin.mjs';
import { radiusPlugin } from './radius-plugin.mjs';
import { yargsParserPlugin } from './yargs-parser-plugin.mjs';

/** The root of the source tree. */
export const ROOT = path.resolve(import.meta.dirname, '../..');

/**
 * The first lines of every executable. The shebang keeps NODE_OPTIONS from acting before our first
 * line. Node's modules come from process.getBuiltinModule, so that the file works as CommonJS and
 * as ESM: which of the two it is depends on a package.json near it that is not ours.
 */
const HEAD = `#!/usr/bin/env -S -u NODE_OPTIONS node
((require) => {`;
const FOOT = '})(process.getBuiltinModule);';

/** Hints for bundlers, which say nothing to a reader or to Node. */
const HINT = /\/\* @__(PURE|NO_SIDE_EFFECTS)__ \*\/ ?/g;

/**
 * Bundles one entry into one executable file, which a person can read from top to bottom and which
 * Node runs as it stands: names and lines are those of the source, so a crash shows a function and
 * a line that can be found. Types and comments go, and code that nothing reaches.
 *
 * @param {string} entry path of the entry's source
 * @param {string} outFile path of the executable to write; it is replaced in one step
 * @returns {Promise<Map<string, number>>} the source files that went into it, relative to the
 *   root, and how many bytes of each
 * @throws when the bundle cannot be built, or needs anything that is not within it
 */
export async function bundle(entry, outFile) {
  const define = { __VERSION__: JSON.stringify(await packageVersion()) };
  const result = await build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    outfile: outFile,
    write: false,
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    format: 'iife',
    // A real import() would bring up the ESM loader, which costs more than most modules do.
    supported: { 'dynamic-import': false },
    treeShaking: true,
    legalComments: 'none', // dist/LICENSES.txt has them all
    charset: 'utf8',
    logLevel: 'silent',
    banner: { js: HEAD },
    footer: { js: FOOT },
    define,
    metafile: true,
    plugins: [helpPlugin(entry, ROOT, define), yargsParserPlugin, radiusPlugin],
  });
  for (const warning of result.warnings) throw new Error(`${entry}: ${warning.text}`);

  const [output] = Object.values(result.metafile.outputs);
  for (const { path: name, external } of output?.imports ?? []) {
    if (external === true && !builtinModules.includes(name.replace(/^node:/, ''))) {
      throw new Error(`${entry}: '${name}' is neither bundled nor a module of Node`);
    }
  }
  const text = (result.outputFiles[0]?.text ?? '').replaceAll(HINT, '');
  await mkdir(path.dirname(outFile), { recursive: true });
  await replaceFile(outFile, text, 0o755);
  return new Map(
    Object.keys(result.metafile.inputs).map((input) => [
      input,
      output?.inputs[input]?.bytesInOutput ?? 0,
    ]),
  );
}

/**
 * Writes a file so that a reader sees the old one or the new one, and nothing between.
 *
 * @param {string} file
 * @param {string} text
 * @param {number} mode
 */
export async function replaceFile(file, text, mode) {
  const temporary = `${file}.${process.pid}.tmp`;
  await writeFile(temporary, text);
  await chmod(temporary, mode); // whatever the umask says
  await rename(temporary, file);
}

/** @returns {Promise<string>} the version in package.json */
export async function packageVersion() {
  /** @type {unknown} */
  const manifest = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8'));
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest) {
    if (typeof manifest.version === 'string') return manifest.version;
  }
  throw new Error('package.json has no version');
}

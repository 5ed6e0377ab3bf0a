import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import path from 'node:path';
import { build } from 'esbuild';
import { executableText, PROGRAM_FOOT, PROGRAM_HEAD } from './executable-text.mjs';
import { lazyPackagesPlugin } from './lazy-packages-plugin.mjs';
import { radiusPlugin } from './radius-plugin.mjs';
import { yargsPlugin } from './yargs-plugin.mjs';

/** The root of the source tree. */
export const ROOT = path.resolve(import.meta.dirname, '../..');

/**
 * Plugins that replace parts of packages, in the order in which they apply.
 *
 * @type {import('esbuild').Plugin[]}
 */
const PLUGINS = [yargsPlugin, radiusPlugin];

/**
 * Bundles one entry into one executable file.
 *
 * Names stay as they are in the source, and lines are short: a crash then shows a function and a
 * line that can be read, without a source map, which Node would only use when it is told to, and
 * which costs time at each start then. Comments, types and blanks go, for Node reads the file at
 * each start; code that nothing reaches goes.
 *
 * @param {string} entry path of the entry's source
 * @param {string} outFile path of the executable to write; it is replaced in one step
 * @returns {Promise<Map<string, number>>} the source files that went into it, relative to the
 *   root, and how many bytes of each, before compression
 * @throws when the bundle cannot be built, or needs anything that is not within it
 */
export async function bundle(entry, outFile) {
  /** @type {Map<string, number>} */
  const inputs = new Map();
  /** @type {(input: string, bytes: number) => void} */
  const note = (input, bytes) => {
    inputs.set(input, (inputs.get(input) ?? 0) + bytes);
  };
  /** @type {Map<string, string>} */
  const packages = new Map();
  /** @type {import('esbuild').BuildOptions} */
  const common = {
    absWorkingDir: ROOT,
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    // A real import() would bring up the ESM loader, which costs more than most modules do.
    supported: { 'dynamic-import': false },
    treeShaking: true,
    legalComments: 'none', // dist/LICENSES.txt has them all
    logLevel: 'silent',
    plugins: PLUGINS,
  };
  const result = await build({
    ...common,
    entryPoints: [entry],
    outfile: outFile,
    write: false,
    format: 'iife',
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 100,
    banner: { js: PROGRAM_HEAD },
    footer: { js: PROGRAM_FOOT },
    define: { __VERSION__: JSON.stringify(await packageVersion()) },
    metafile: true,
    plugins: [lazyPackagesPlugin(common, packages, note), ...PLUGINS],
  });
  for (const warning of result.warnings) throw new Error(`${entry}: ${warning.text}`);

  const [output] = Object.values(result.metafile.outputs);
  for (const { path: name, external } of output?.imports ?? []) {
    if (external === true && !builtinModules.includes(name.replace(/^node:/, ''))) {
      throw new Error(`${entry}: '${name}' is neither bundled nor a module of Node`);
    }
  }
  const main = result.outputFiles[0]?.text ?? '';
  const text = await executableText(path.basename(outFile), main, packages);
  await mkdir(path.dirname(outFile), { recursive: true });
  await replaceFile(outFile, text, 0o755);
  for (const input of Object.keys(result.metafile.inputs)) {
    note(input, output?.inputs[input]?.bytesInOutput ?? 0);
  }
  return inputs;
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

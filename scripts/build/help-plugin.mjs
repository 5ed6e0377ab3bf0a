import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { build as bundle } from 'esbuild';

/**
 * yargs writes the text of --help, when an executable is built: it is the same at every run, and
 * what writes it is as large as all the rest. So the executable has the text in place of yargs.
 *
 * @param {string} entry path of the executable's source
 * @param {string} root of the source tree
 * @param {Record<string, string>} define what the build replaces, as for esbuild
 * @returns {import('esbuild').Plugin}
 */
export function helpPlugin(entry, root, define) {
  return {
    name: 'help-as-text',
    setup(build) {
      build.onLoad({ filter: /[\\/]src[\\/]lib[\\/]cli[\\/]help\.ts$/ }, async () => {
        const lines = (await helpOf(entry, root, define)).trimEnd().split('\n');
        const list = lines.map((line) => `  ${JSON.stringify(line)},\n`).join('');
        return {
          contents: `const LINES = [\n${list}];\nexport async function renderHelp() {\n  return LINES.join("\\n");\n}\n`,
        };
      });
    },
  };
}

/**
 * Runs the source with --help, with the packages as they are installed.
 *
 * @param {string} entry
 * @param {string} root
 * @param {Record<string, string>} define
 */
async function helpOf(entry, root, define) {
  // Beneath node_modules, for that is where Node looks for the packages from there.
  const folder = await mkdtemp(path.join(root, 'node_modules/.help-'));
  try {
    const outfile = path.join(folder, 'program.mjs');
    await bundle({
      absWorkingDir: root,
      entryPoints: [entry],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      define,
      logLevel: 'silent',
    });
    const { stdout } = await promisify(execFile)(process.execPath, [outfile, '--help']);
    return stdout;
  } finally {
    await rm(folder, { recursive: true });
  }
}

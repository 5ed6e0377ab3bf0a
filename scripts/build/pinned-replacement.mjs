import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/**
 * Replaces a package's file by one of ours, as long as the package's file is the one that ours
 * was written for.
 *
 * @param {import('esbuild').PluginBuild} build
 * @param {{ filter: RegExp, sha256: string, by: string }} replacement
 *   filter: matches the path of the package's file; sha256: of its text; by: our file
 */
export function replacePinned(build, { filter, sha256, by }) {
  build.onLoad({ filter }, async (args) => {
    const found = createHash('sha256')
      .update(await readFile(args.path))
      .digest('hex');
    if (found !== sha256) {
      throw new Error(
        `${args.path} has changed (sha256 ${found}): see whether ${by} still stands in for it`,
      );
    }
    const ours = JSON.stringify(by);
    return { contents: `export * from ${ours}; export { default } from ${ours};` };
  });
}

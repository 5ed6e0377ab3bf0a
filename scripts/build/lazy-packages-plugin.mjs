import { builtinModules } from 'node:module';
import { build } from 'esbuild';

/**
 * Packages that are imported by `await import('NAME')` serve what few runs need: help, a change
 * in the kernel, a configuration file. V8 reads every function of a file at each start, also of
 * those that no run comes to. So such a package is put into the executable as a text, which is
 * turned into code where it is imported. Blanks go from it, names stay.
 *
 * A package that is imported in both ways would be there twice; no package is.
 *
 * @param {import('esbuild').BuildOptions} options those of the executable
 * @param {(input: string) => void} noteInput is told each source file of the packages
 * @returns {import('esbuild').Plugin}
 */
export function lazyPackagesPlugin(options, noteInput) {
  return {
    name: 'lazy-packages',
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /^[^./]/ }, ({ kind, path: name, resolveDir }) => {
        if (kind !== 'dynamic-import' || isBuiltin(name)) return undefined;
        return { path: name, namespace: 'lazy-package', pluginData: resolveDir };
      });
      onLoad({ filter: /./, namespace: 'lazy-package' }, async ({ path: name, pluginData }) => {
        const resolveDir = String(pluginData);
        const result = await build({
          ...options,
          stdin: { contents: `module.exports = require('${name}');`, resolveDir },
          format: 'cjs',
          minifyWhitespace: true,
          minifySyntax: true,
          write: false,
          metafile: true,
        });
        for (const input of Object.keys(result.metafile.inputs)) {
          if (input !== '<stdin>') noteInput(input);
        }
        const code = `${result.outputFiles[0]?.text ?? ''}//# sourceURL=${name}\n`;
        return {
          contents: `Function('require', 'module', ${JSON.stringify(code)})(process.getBuiltinModule, module);`,
        };
      });
    },
  };
}

/** @param {string} name */
function isBuiltin(name) {
  return builtinModules.includes(name.replace(/^node:/, ''));
}

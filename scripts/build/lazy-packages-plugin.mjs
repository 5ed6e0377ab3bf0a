import { builtinModules } from 'node:module';
import { build as bundle } from 'esbuild';

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
    setup(build) {
      build.onResolve({ filter: /^[^./]/ }, async ({ kind, path: name, resolveDir }) => {
        if (kind !== 'dynamic-import' || isBuiltin(name)) return undefined;
        const found = await build.resolve(name, { resolveDir, kind: 'import-statement' });
        return { ...found, namespace: 'lazy-package', pluginData: name };
      });
      build.onLoad({ filter: /./, namespace: 'lazy-package' }, async ({ path, pluginData }) => {
        const common = {
          ...options,
          entryPoints: [path],
          outfile: 'package.js', // which is not written
          minifyWhitespace: true,
          minifySyntax: true,
        };
        // The first tells what the package exports, the second is in a form that a function takes.
        const asModule = await bundle({ ...common, format: 'esm', metafile: true, write: false });
        const asFunction = await bundle({ ...common, format: 'cjs', write: false });
        Object.keys(asModule.metafile.inputs).forEach(noteInput);
        const exported = Object.values(asModule.metafile.outputs)[0]?.exports ?? [];
        const code = `${asFunction.outputFiles[0]?.text ?? ''}//# sourceURL=${String(pluginData)}\n`;
        return { contents: lazyModule(code, exported) };
      });
    },
  };
}

/**
 * @param {string} code the package as the body of a CommonJS module
 * @param {string[]} exported the names it exports; only `default` when it is CommonJS itself
 * @returns {string} a module that exports the same
 */
function lazyModule(code, exported) {
  const names = exported.filter((name) => /^[A-Za-z_$][\w$]*$/.test(name) && name !== 'default');
  return `const module = { exports: {} };
Function('require', 'module', ${JSON.stringify(code)})(process.getBuiltinModule, module);
export const { ${names.join(', ')} } = module.exports;
export default module.exports.__esModule ? module.exports.default : module.exports;
`;
}

/** @param {string} name */
function isBuiltin(name) {
  return builtinModules.includes(name.replace(/^node:/, ''));
}

import { builtinModules } from 'node:module';
import { build as bundle } from 'esbuild';

/**
 * Packages that are imported by `await import('NAME')` serve what few runs need: help, a change
 * in the kernel, a configuration file. V8 reads every function of a file at each start, also of
 * those that no run comes to. So such a package stands in the executable as a text of its own,
 * which is turned into code where it is imported. Blanks go from it, names stay.
 *
 * A package that is imported in both ways would be there twice; no package is.
 *
 * @param {import('esbuild').BuildOptions} options those of the executable
 * @param {Map<string, string>} texts is given the packages, by name, as bodies of CommonJS modules
 * @param {(input: string, bytes: number) => void} noteInput is told each source file of the
 *   packages, and how much of it there is
 * @returns {import('esbuild').Plugin}
 */
export function lazyPackagesPlugin(options, texts, noteInput) {
  return {
    name: 'lazy-packages',
    setup(build) {
      build.onResolve({ filter: /^[^./]/ }, async ({ kind, path: name, resolveDir }) => {
        if (kind !== 'dynamic-import' || isBuiltin(name)) return undefined;
        const found = await build.resolve(name, { resolveDir, kind: 'import-statement' });
        // Its path goes into the executable: its name, which is the same wherever that is built.
        return { ...found, path: name, namespace: 'lazy-package', pluginData: found.path };
      });
      build.onLoad(
        { filter: /./, namespace: 'lazy-package' },
        async ({ path: name, pluginData }) => {
          const common = {
            ...options,
            entryPoints: [String(pluginData)],
            outfile: 'package.js', // which is not written
            minifyWhitespace: true,
            minifySyntax: true,
          };
          // The first tells what the package exports, the second is in a form that a function takes.
          const asModule = await bundle({ ...common, format: 'esm', metafile: true, write: false });
          const asFunction = await bundle({ ...common, format: 'cjs', write: false });
          const [output] = Object.values(asModule.metafile.outputs);
          for (const input of Object.keys(asModule.metafile.inputs)) {
            noteInput(input, output?.inputs[input]?.bytesInOutput ?? 0);
          }
          const exported = output?.exports ?? [];
          texts.set(name, `${asFunction.outputFiles[0]?.text ?? ''}//# sourceURL=${name}\n`);
          return { contents: lazyModule(name, exported) };
        },
      );
    },
  };
}

/**
 * @param {string} name of the package
 * @param {string[]} exported the names it exports; only `default` when it is CommonJS itself
 * @returns {string} a module that exports the same
 */
function lazyModule(name, exported) {
  const names = exported.filter((name) => /^[A-Za-z_$][\w$]*$/.test(name) && name !== 'default');
  return `const module = { exports: {} };
Function('require', 'module', packageOf(${JSON.stringify(name)}))(require, module);
export const { ${names.join(', ')} } = module.exports;
export default module.exports.__esModule ? module.exports.default : module.exports;
`;
}

/** @param {string} name */
function isBuiltin(name) {
  return builtinModules.includes(name.replace(/^node:/, ''));
}

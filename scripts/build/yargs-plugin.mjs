import path from 'node:path';
import { replacePinned } from './pinned-replacement.mjs';

/**
 * yargs and yargs-parser look for package.json, locale and configuration files from the
 * executable and from the working directory upwards. What lies there may be an attacker's, it is
 * never ours, and looking costs time: their ports to the machine are replaced by ones that read
 * nothing.
 *
 * @type {import('esbuild').Plugin}
 */
export const yargsPlugin = {
  name: 'yargs-without-files',
  setup(build) {
    replacePinned(build, {
      filter: /[\\/]yargs[\\/]lib[\\/]platform-shims[\\/]esm\.mjs$/,
      sha256: '085c19db4425a7f3b422ae0d225c68276f41917678673a3d6815d53dd2c85a49',
      by: path.join(import.meta.dirname, 'yargs-port.mjs'),
    });
    replacePinned(build, {
      filter: /[\\/]yargs-parser[\\/]build[\\/]lib[\\/]index\.js$/,
      sha256: '79256dafdf0a7f14e3e7b112783c80df40ec62dbd8d604dc55f3a7ac54915072',
      by: path.join(import.meta.dirname, 'yargs-parser-port.mjs'),
    });
  },
};

import path from 'node:path';
import { replacePinned } from './pinned-replacement.mjs';

/**
 * yargs-parser looks for package.json from the executable and from the working directory upwards,
 * and into the environment. What lies there may be an attacker's, it is never ours, and looking
 * costs time: its port to the machine is replaced by one that reads nothing.
 *
 * @type {import('esbuild').Plugin}
 */
export const yargsParserPlugin = {
  name: 'yargs-parser-without-files',
  setup(build) {
    replacePinned(build, {
      filter: /[\\/]yargs-parser[\\/]build[\\/]lib[\\/]index\.js$/,
      sha256: '79256dafdf0a7f14e3e7b112783c80df40ec62dbd8d604dc55f3a7ac54915072',
      by: path.join(import.meta.dirname, 'yargs-parser-port.mjs'),
    });
  },
};

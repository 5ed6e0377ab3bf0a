/** Replaced by the build, and by the test runner's configuration. */
declare const __VERSION__: string;

/** The version of the package that this executable was built from. */
export const version: string = __VERSION__;

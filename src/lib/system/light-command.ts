import { SYSTEM_ENVIRONMENT, type RunCommand } from './command.ts';
import { errnoOf, messageOf } from './errors.ts';

/** More than `ip` prints of a hundred thousand routes. */
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

/**
 * The same as `runCommand`, for the one program that runs at every pass: the `ip` with which
 * tcp-route-probe reads its route. Loading execa for that doubled the cost of the pass; Node's own
 * execFile does. Nothing can be handed over but `input`.
 */
export const runCommandLightly: RunCommand = async (file, args, { input, timeoutMs }) => {
  const { execFile } = await import('node:child_process');
  return new Promise((resolve) => {
    const options = {
      env: SYSTEM_ENVIRONMENT,
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      maxBuffer: MAX_OUTPUT_BYTES,
    } as const;
    const child = execFile(file, args, options, (error, stdout, stderr) => {
      const printed = { stdout: stdout.trimEnd(), stderr: stderr.trimEnd() };
      if (error === null) resolve({ exitCode: 0, ...printed, failure: undefined });
      else if (typeof error.code === 'number') {
        resolve({ exitCode: error.code, ...printed, failure: undefined });
      } else resolve({ exitCode: undefined, ...printed, failure: wordFailure(file, error) });
    });
    child.stdin?.on('error', () => {
      // It ended without reading everything: its exit status tells why.
    });
    child.stdin?.end(input ?? '');
  });
};

function wordFailure(file: string, error: Error & { readonly killed?: boolean }): string {
  if (error.killed === true) return `${file} did not end in time`;
  return `${file} could not be run (${errnoOf(error) ?? messageOf(error)})`;
}

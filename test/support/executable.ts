import { existsSync } from 'node:fs';
import path from 'node:path';
import { Child, type Finished } from './child.ts';
import type { Namespace } from './namespace.ts';

/** The root of the source tree. */
export const ROOT = path.resolve(import.meta.dirname, '../..');

export interface RunOptions {
  /** Added to an environment that has only PATH, HOME and LANG; undefined removes one. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Where it runs; without one it sees the machine's own network, so only harmless runs may. */
  readonly namespace?: Namespace;
  readonly input?: string;
  /** Path of the Node that runs it; by default the file runs by itself, with the tests' Node. */
  readonly node?: string;
  readonly timeoutMs?: number;
  /** Whether it leads a process group of its own. */
  readonly group?: boolean;
}

/**
 * The path of a built executable.
 *
 * @throws Error when it is not built
 */
export function executablePath(name: string): string {
  const file = path.join(ROOT, 'dist', name);
  if (!existsSync(file)) throw new Error(`dist/${name} is not built: see npm run build`);
  return file;
}

/**
 * Starts an executable.
 *
 * @param program the name of a built one, or the path of any file
 */
export async function start(
  program: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<Child> {
  const file = program.includes('/') ? program : executablePath(program);
  const [command, commandArgs] =
    options.node === undefined ? [file, args] : [options.node, [file, ...args]];
  const env = {
    PATH: `${path.dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: '/nonexistent',
    LANG: 'C.UTF-8',
    // What this machine itself has suspended across reboots is no affair of a test.
    ANYCAST_HA_PERSIST_DIR: '/nonexistent/anycast-ha',
    ANYCAST_HA_CONFIG_DIR: '/nonexistent/anycast-ha',
    ...options.env,
  };
  const childOptions = {
    env,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    ...(options.group === undefined ? {} : { group: options.group }),
  };
  return options.namespace === undefined
    ? Child.start(command, commandArgs, childOptions)
    : options.namespace.spawn(command, commandArgs, childOptions);
}

/** Runs an executable to its end. */
export async function run(
  program: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<Finished> {
  return (await start(program, args, options)).finished;
}

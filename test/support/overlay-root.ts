import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createTemporaryFolder, removeTemporaryFolder } from './temporary-folder.ts';

/** Waits for the end of its stdin, so that it never outlives the tests. */
const HOLD = `
set -e
mount -t tmpfs overlay-root "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
echo ready
exec cat >/dev/null
`;

/**
 * A copy of a file system, by default this machine's, to write into: an overlay of it, in a mount namespace of
 * its own, so that it leaves nothing behind.
 */
export class OverlayRoot {
  /** The root's path within its mount namespace. */
  readonly inside: string;
  readonly #folder: string;
  readonly #holder: ChildProcess;

  private constructor(folder: string, holder: ChildProcess) {
    this.#folder = folder;
    this.#holder = holder;
    this.inside = path.join(folder, 'root');
  }

  /**
   * @param lower the file system that it is a copy of
   * @throws Error when it cannot be mounted
   */
  static async create(lower = '/'): Promise<OverlayRoot> {
    const folder = createTemporaryFolder();
    const holder = spawn(
      'unshare',
      ['--mount', '--propagation', 'private', 'sh', '-c', HOLD, 'sh', folder, lower],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    let complaint = '';
    holder.stderr.on('data', (chunk: Buffer) => {
      complaint += chunk.toString();
    });
    await Promise.race([once(holder.stdout, 'data'), once(holder, 'exit')]);
    if (holder.exitCode !== null) throw new Error(`no overlay of ${lower}: ${complaint}`);
    return new OverlayRoot(folder, holder);
  }

  /** The process whose mount namespace has the root. */
  get holderPid(): number {
    return this.#holder.pid ?? 0;
  }

  /** Where this process sees a file of the root. */
  path(file: string): string {
    return path.join(`/proc/${this.holderPid}/root`, this.inside, file);
  }

  async dispose(): Promise<void> {
    const ended = once(this.#holder, 'exit');
    this.#holder.stdin?.end();
    await ended;
    removeTemporaryFolder(this.#folder);
  }
}

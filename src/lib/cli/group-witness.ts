import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { sleep } from '../system/clock.ts';

/**
 * A process of our own group that does nothing, and tells by its end which signals were sent to the
 * whole group: those of a terminal's keys, of `kill -- -GROUP`, of a service manager. Node does not
 * tell where a signal came from, and whether stdin is a terminal says nothing of it.
 */
export class GroupWitness {
  #process: ChildProcess | undefined;

  /** Begins to watch. Where no process can be started, nothing is ever seen. */
  begin(): void {
    // It reads what we never write, so that it ends with us whatever ends us; and it leaves no core.
    const witness = spawn('/bin/sh', ['-c', 'ulimit -c 0; exec cat'], {
      cwd: '/',
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    witness.on('error', () => {
      this.#process = undefined;
    });
    witness.stdin.on('error', () => undefined);
    witness.unref();
    this.#process = witness;
  }

  /**
   * Whether a signal that has just come for us was sent to the whole group. Of two different ones
   * within a moment, the second counts as sent to us alone.
   */
  async saw(signal: NodeJS.Signals): Promise<boolean> {
    const witness = this.#process;
    if (witness === undefined) return false;
    await sleep(SAME_MOMENT_MS);
    if (isUnharmed(witness)) return false;
    if (witness.exitCode === null && witness.signalCode === null) await once(witness, 'exit');
    if (witness.signalCode !== signal) return false;
    if (this.#process === witness) this.begin();
    return true;
  }

  end(): void {
    this.#process?.kill('SIGKILL');
    this.#process = undefined;
  }
}

/** The kernel sends to all of a group in one go: by then the last of them has it. */
const SAME_MOMENT_MS = 20;

/** Whether a process lives, and no signal is on its way to it (proc(5): State, ShdPnd). */
function isUnharmed({ pid, exitCode, signalCode }: ChildProcess): boolean {
  if (exitCode !== null || signalCode !== null) return false;
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return /^State:\t[^ZX]/m.test(status) && /^ShdPnd:\t0+$/m.test(status);
  } catch {
    return true; // where /proc is closed to us, nothing is ever seen
  }
}

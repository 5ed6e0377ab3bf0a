import path from 'node:path';
import { runPass } from '../../src/lib/pass/pass.ts';
import type { PassOptions, PassPorts } from '../../src/lib/pass/ports.ts';
import type { PassReport } from '../../src/lib/pass/report.ts';
import { up, type Verdict } from '../../src/lib/probe/probe.ts';
import { readState, type StateReading } from '../../src/lib/state/state-file.ts';
import { currentBootId, type Moment } from '../../src/lib/system/clock.ts';
import { prepareCommand, runCommand } from '../../src/lib/system/command.ts';
import { exampleOptions } from './example-state.ts';
import { fakeAdvertiser, type FakeAdvertiser } from './fake-advertiser.ts';
import { recordedLog } from './recorded-log.ts';
import { createTemporaryFolder, removeTemporaryFolder } from './temporary-folder.ts';

/** Passes of an instance on a real disk, with a kernel, a probe and a clock that tests set. */
export class PassBench {
  readonly folder = createTemporaryFolder();
  readonly kernel: FakeAdvertiser = fakeAdvertiser();
  verdict: Verdict = up('answered');
  nowMs = 1_000_000;
  bootId = currentBootId();
  /** What the latest pass said. */
  lines: readonly string[] = [];
  readonly #changes: Partial<PassOptions>;

  constructor(changes: Partial<PassOptions> = {}) {
    this.#changes = changes;
  }

  get stateDir(): string {
    return path.join(this.folder, 'state');
  }

  options(changes: Partial<PassOptions> = {}): PassOptions {
    return exampleOptions({
      attempts: 1,
      retryDelayMs: 0,
      drainMs: 0,
      lockWaitMs: 0,
      stateDir: this.stateDir,
      persistDir: path.join(this.folder, 'persist'),
      ...this.#changes,
      ...changes,
    });
  }

  now(): Moment {
    return { bootMs: this.nowMs, wallMs: 1_800_000_000_000 + this.nowMs, bootId: this.bootId };
  }

  /** One pass, two seconds after the one before. */
  async pass(
    changes: Partial<PassOptions> = {},
    ports: Partial<PassPorts> = {},
  ): Promise<PassReport> {
    this.nowMs += 2000;
    const log = recordedLog();
    try {
      return await runPass(this.options(changes), { ...this.ports(), log, ...ports });
    } finally {
      this.lines = log.lines.filter((line) => !line.startsWith('step'));
    }
  }

  /** What a pass works with here. */
  ports(): PassPorts {
    const never = new AbortController().signal;
    return {
      clock: { now: () => this.now() },
      log: recordedLog(),
      run: runCommand,
      prepareChange: prepareCommand,
      advertiser: this.kernel,
      ownUid: process.getuid?.() ?? 0,
      interrupts: { signal: never, hurry: never, requested: () => undefined },
      configurations: { read: () => undefined, beside: () => [] },
      probe: () => Promise.resolve(this.verdict),
    };
  }

  state(instance = 'sample'): StateReading {
    return readState(path.join(this.stateDir, `${instance}.json`), this.now());
  }

  dispose(): void {
    removeTemporaryFolder(this.folder);
  }
}

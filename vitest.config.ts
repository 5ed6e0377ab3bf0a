import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';

const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Compute with nothing around them, or with sockets on loopback. */
const PURE = ['test/lib/**/*.test.ts'];
/** Measure what a busy machine would change. */
const ALONE = ['test/lab/**/*.test.ts', 'test/fault/{time,standstill}.test.ts'];

export default defineConfig({
  define: { __VERSION__: JSON.stringify(version) },
  test: {
    environment: 'node',
    pool: 'forks',
    globalSetup: ['test/support/global-setup.ts'],
    // Daemons have to come up, on machines that may have two slow cores.
    testTimeout: 60_000,
    hookTimeout: 90_000,
    teardownTimeout: 20_000,
    sequence: { sequencer: LongestFirst },
    // One project after the other, each with as many workers as it can use.
    projects: [
      {
        extends: true,
        test: {
          name: 'waiting',
          include: ['test/**/*.test.ts'],
          exclude: [...PURE, ...ALONE],
          sequence: { groupOrder: 0 },
          // These mostly wait: for daemons, timers, leases.
          maxWorkers: 3 * availableParallelism(),
        },
      },
      {
        extends: true,
        test: {
          name: 'pure',
          include: PURE,
          setupFiles: ['test/support/same-cases.ts'],
          // They keep nothing between files but what they import: a worker loads that once.
          isolate: false,
          sequence: { groupOrder: 1 },
          maxWorkers: availableParallelism(),
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: ALONE, sequence: { groupOrder: 2 }, maxWorkers: 1 },
      },
    ],
  },
});

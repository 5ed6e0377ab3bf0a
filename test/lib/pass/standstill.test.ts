import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { probeWithAttempts } from '../../../src/lib/pass/attempts.ts';
import { afterStandstill, watchStandstill } from '../../../src/lib/pass/standstill.ts';
import { down, unknown, up } from '../../../src/lib/probe/probe.ts';
import { recordedLog } from '../../support/recorded-log.ts';

describe('what an attempt is worth that stood still', () => {
  test('nothing changes where it did not, and never what is up or unknown', () => {
    const verdicts = [up('x'), unknown('resources', 'x'), down('timeout', 'x')];
    for (const verdict of verdicts) expect(afterStandstill(verdict, 0, 1000)).toEqual(verdict);
    for (const verdict of verdicts.slice(0, 2)) {
      expect(afterStandstill(verdict, 5000, 1000)).toEqual(verdict);
    }
  });

  test('a down is unknown once it stood still for more than a quarter of its time', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60_000 }),
        fc.double({ min: 0, max: 4, noNaN: true }),
        (timeoutMs, share) => {
          const { status } = afterStandstill(down('timeout', 'x'), timeoutMs * share, timeoutMs);
          expect(status).toBe(share > 0.25 ? 'unknown' : 'down');
        },
      ),
    );
  });

  test('a latency over any pause is none of the service', () => {
    expect(afterStandstill(down('too-slow', 'x'), 1, 1000).status).toBe('unknown');
    expect(afterStandstill(down('too-slow', 'x'), 0, 1000).status).toBe('down');
  });
});

describe('the watch', () => {
  test('counts pauses, but not those of a busy machine', () => {
    vi.useFakeTimers();
    try {
      let nowMs = 0;
      const watch = watchStandstill(() => nowMs);
      const pass = (ms: number): void => {
        nowMs += ms;
        vi.advanceTimersToNextTimer();
      };
      for (let look = 0; look < 20; look += 1) pass(50 + look);
      expect(watch.stoodStillMs()).toBe(0);
      pass(50 + 700);
      expect(watch.stoodStillMs()).toBe(700);
      pass(50);
      nowMs += 50 + 300; // the pause that lasts until it is asked
      expect(watch.stoodStillMs()).toBe(1000);
      watch.end();
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('whatever comes first, timer or answer,', () => {
  const interrupts = {
    signal: new AbortController().signal,
    hurry: new AbortController().signal,
    requested: () => undefined,
  };

  test('an answer that is there when the timer is seen counts', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 60 }),
        fc.boolean(),
        async (extraMs, viaSocket) => {
          // The probe answers in the turn in which the timer is late, behind it or before it.
          const probe = ({ signal }: { signal: AbortSignal }): Promise<ReturnType<typeof up>> =>
            new Promise((resolve) => {
              setTimeout(() => {
                const end = performance.now() + 20 + extraMs;
                while (performance.now() < end); // stands still over the timeout
                if (viaSocket) setImmediate(resolve, up('answered'));
                else resolve(up('answered'));
              }, 1);
              signal.addEventListener('abort', () => {
                setTimeout(resolve, 50, down('timeout', 'no answer'));
              });
            });
          const options = { attempts: 1, timeoutMs: 10, retryDelayMs: 0 };
          const ports = { probe, log: recordedLog(), interrupts };
          expect(
            (await probeWithAttempts(options, ports, { health: 'up', command: undefined })).status,
          ).toBe('up');
        },
      ),
      { numRuns: 30 },
    );
  });

  test('silence is down where it ran, and unknown where it did not', async () => {
    for (const [blockMs, status] of [
      [0, 'down'],
      [400, 'unknown'],
    ] as const) {
      const probe = ({ signal }: { signal: AbortSignal }): Promise<ReturnType<typeof down>> =>
        new Promise((resolve) => {
          const end = performance.now() + blockMs;
          while (performance.now() < end);
          signal.addEventListener('abort', () => {
            resolve(down('timeout', 'no answer'));
          });
        });
      const options = { attempts: 1, timeoutMs: 100, retryDelayMs: 0 };
      const ports = { probe, log: recordedLog(), interrupts };
      expect(
        (await probeWithAttempts(options, ports, { health: 'up', command: undefined })).status,
      ).toBe(status);
    }
  });
});

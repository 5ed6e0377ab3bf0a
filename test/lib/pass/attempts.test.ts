import { describe, expect, test } from 'vitest';
import { describeVerdict, probeWithAttempts } from '../../../src/lib/pass/attempts.ts';
import type { Interrupts, PassPorts } from '../../../src/lib/pass/ports.ts';
import { down, unknown, up, type Verdict } from '../../../src/lib/probe/probe.ts';
import { recordedLog } from '../../support/recorded-log.ts';

const OPTIONS = { attempts: 3, timeoutMs: 1000, retryDelayMs: 0 };
const DOWN = down('timeout', 'no answer');
const UNKNOWN = unknown('resources', 'no sockets');

function interrupts(signal = new AbortController().signal): Interrupts {
  return { signal, hurry: signal, requested: () => undefined };
}

/** Answers one verdict after the other, and counts how often it is asked. */
function answering(...verdicts: readonly Verdict[]): {
  probe: PassPorts['probe'];
  asked: () => number;
} {
  let asked = 0;
  const probe: PassPorts['probe'] = () =>
    Promise.resolve(verdicts[asked++] ?? down('timeout', 'asked too often'));
  return { probe, asked: () => asked };
}

function run(
  probe: PassPorts['probe'],
  options: Partial<typeof OPTIONS> = {},
  signal?: AbortSignal,
): Promise<Verdict> {
  const ports = { probe, log: recordedLog(), interrupts: interrupts(signal) };
  return probeWithAttempts({ ...OPTIONS, ...options }, ports, { health: 'up', command: undefined });
}

describe('the verdict of a pass', () => {
  const cases: readonly (readonly [
    what: string,
    verdicts: readonly Verdict[],
    counts: Verdict,
    asked: number,
  ])[] = [
    ['the first success', [DOWN, up('second'), DOWN], up('second'), 2],
    [
      'the last failure',
      [DOWN, down('refused', 'third'), down('reset', 'last')],
      down('reset', 'last'),
      3,
    ],
    ['a failure before unknown', [UNKNOWN, DOWN, UNKNOWN], DOWN, 3],
    ['unknown where nothing else was seen', [UNKNOWN, UNKNOWN, UNKNOWN], UNKNOWN, 3],
  ];

  test.each(cases)('is %s', async (_, verdicts, counts, asked) => {
    const answers = answering(...verdicts);
    expect(await run(answers.probe)).toEqual(counts);
    expect(answers.asked()).toBe(asked);
  });

  test('each attempt is told the health, gets a fresh signal, and is logged', async () => {
    const log = recordedLog();
    const signals = new Set<AbortSignal>();
    const probe: PassPorts['probe'] = ({ signal, health }) => {
      signals.add(signal);
      return Promise.resolve(down('timeout', `was ${health ?? 'not known'}`));
    };
    const ports = { probe, log, interrupts: interrupts() };
    await probeWithAttempts(OPTIONS, ports, { health: 'up', command: undefined });
    expect(signals.size).toBe(3);
    expect(log.lines.map((line) => line.replace(/\d+ ms/, 'N ms'))).toEqual([
      'step: attempt 1 of 3: down (timeout): was up [N ms]',
      'step: attempt 2 of 3: down (timeout): was up [N ms]',
      'step: attempt 3 of 3: down (timeout): was up [N ms]',
    ]);
  });
});

describe('an attempt', () => {
  test('is told when its time is over', async () => {
    const probe: PassPorts['probe'] = ({ signal }) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          resolve(DOWN);
        });
      });
    expect(await run(probe, { attempts: 1, timeoutMs: 20 })).toEqual(DOWN);
  });

  test('that does not end by then is unknown, and is the last: it may still run', async () => {
    let asked = 0;
    const probe: PassPorts['probe'] = () => {
      asked += 1;
      return new Promise(() => undefined);
    };
    expect(await run(probe, { timeoutMs: 20 })).toMatchObject({ reason: 'overrun' });
    expect(asked).toBe(1);
  });

  test('whose system call fails in a way it did not expect is unknown', async () => {
    const error = Object.assign(new Error('open'), { code: 'ENFILE' });
    expect(await run(() => Promise.reject(error))).toMatchObject({
      status: 'unknown',
      reason: 'resources',
      detail: 'a system call failed (ENFILE)',
    });
  });

  test.each([new Error('bug'), Object.assign(new Error('bug'), { code: 'ERR_ASSERTION' })])(
    'that throws something else is a bug: %o',
    async (error) => {
      await expect(run(() => Promise.reject(error))).rejects.toBe(error);
    },
  );
});

describe('an interruption', () => {
  test('ends the attempt, and no other is made', async () => {
    const interruption = new AbortController();
    let asked = 0;
    const probe: PassPorts['probe'] = ({ signal }) => {
      asked += 1;
      interruption.abort();
      expect(signal.aborted).toBe(true);
      return Promise.resolve(DOWN);
    };
    // What a probe says that was broken off is no verdict on the service.
    const verdict = await run(probe, {}, interruption.signal);
    expect(verdict).toEqual(unknown('overrun', 'interrupted'));
    expect(asked).toBe(1);
  });

  test('ends the pause between attempts', async () => {
    const interruption = new AbortController();
    const { probe, asked } = answering(DOWN, DOWN, DOWN);
    setTimeout(() => {
      interruption.abort();
    }, 20);
    expect(await run(probe, { retryDelayMs: 600_000 }, interruption.signal)).toEqual(DOWN);
    expect(asked()).toBe(1);
  });
});

test('a verdict is described in one line', () => {
  expect(describeVerdict(up('answered'))).toBe('up: answered');
  expect(describeVerdict(DOWN)).toBe('down (timeout): no answer');
  expect(describeVerdict(UNKNOWN)).toBe('unknown (resources): no sockets');
});

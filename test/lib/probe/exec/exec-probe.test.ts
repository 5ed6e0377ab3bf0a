import { describe, expect, test, vi } from 'vitest';
import {
  probeExec,
  judge,
  type ExecProbeOptions,
} from '../../../../src/lib/probe/exec/exec-probe.ts';
import type { ProbeContext, Verdict } from '../../../../src/lib/probe/probe.ts';
import type { Ending } from '../../../../src/lib/system/process-group.ts';

function verdict(
  ending: Ending,
  output: { readonly stdout?: string; readonly stderr?: string } = {},
  changes: Partial<ExecProbeOptions> = {},
): Verdict {
  const options = { file: 'check', warningIs: 'down', isPlugin: false, ...changes } as const;
  return judge({ ending, stdout: '', stderr: '', ...output }, options);
}

function exited(exitStatus: number): Ending {
  return { kind: 'exited', exitStatus };
}

function run(script: string, context: Partial<ProbeContext> = {}): Promise<Verdict> {
  const nothing = (): void => undefined;
  return probeExec(
    { file: 'sh', args: ['-c', script], warningIs: 'down', isPlugin: false },
    {
      signal: AbortSignal.timeout(10_000),
      log: { step: nothing, notice: nothing, warning: nothing, error: nothing },
      ...context,
    },
  );
}

describe('the exit status decides', () => {
  test.each([
    [0, { status: 'up' }],
    [1, { status: 'down', reason: 'exit-status' }],
    [2, { status: 'down', reason: 'exit-status' }],
    [3, { status: 'down', reason: 'exit-status' }],
    [4, { status: 'down', reason: 'exit-status' }],
    [125, { status: 'down', reason: 'exit-status' }],
    [126, { status: 'unknown', reason: 'permission' }],
    [127, { status: 'unknown', reason: 'no-program' }],
    [128, { status: 'down', reason: 'exit-status' }],
    [137, { status: 'down', reason: 'exit-status' }],
    [255, { status: 'down', reason: 'exit-status' }],
  ])('%i', (status, expected) => {
    expect(verdict(exited(status))).toMatchObject(expected);
  });

  test.each([
    [0, 'up'],
    [1, 'up'],
    [2, 'down'],
    [3, 'down'],
  ])('with --warning-is up: %i is %s', (status, expected) => {
    expect(verdict(exited(status), {}, { warningIs: 'up' }).status).toBe(expected);
  });

  test.each([
    [0, 'up'],
    [1, 'down'],
    [2, 'down'],
    [3, 'unknown'],
    [4, 'down'],
  ])('with --plugin: %i is %s', (status, expected) => {
    expect(verdict(exited(status), {}, { isPlugin: true }).status).toBe(expected);
  });

  test.each(['dns-probe', '/usr/sbin/ha-status', './tcp-route-probe', 'exec-probe'])(
    '%s is one of ours: its 2 is down, and whatever else it says is unknown',
    (file) => {
      const statusOf = (status: number): string => verdict(exited(status), {}, { file }).status;
      expect(statusOf(0)).toBe('up');
      expect(statusOf(2)).toBe('down');
      for (const status of [1, 64, 69, 70, 71, 74, 75, 77, 78, 129, 130]) {
        expect({ status, is: statusOf(status) }).toEqual({ status, is: 'unknown' });
      }
    },
  );
});

describe('the reason is ours where the command did not run, and the service’s else', () => {
  test.each([
    ['ENOENT', 'no-program'],
    ['ENOTDIR', 'no-program'],
    ['ENOEXEC', 'no-program'],
    ['EACCES', 'permission'],
    ['EPERM', 'permission'],
    ['EAGAIN', 'resources'],
    ['EMFILE', 'resources'],
    ['E2BIG', 'resources'],
  ])('%s: unknown, %s', (errno, reason) => {
    expect(verdict({ kind: 'not-started', errno })).toMatchObject({ status: 'unknown', reason });
  });

  test('a signal: down', () => {
    const killed = verdict({ kind: 'killed', signal: 'SIGSEGV' });
    expect(killed).toMatchObject({ status: 'down', reason: 'exit-status' });
    expect(killed.detail).toBe('check: killed by SIGSEGV');
  });

  test('out of time: down', () => {
    expect(verdict({ kind: 'out-of-time' }, { stdout: 'Trying…\n' })).toEqual({
      status: 'down',
      reason: 'timeout',
      detail: 'check: did not end in time and was killed: Trying…',
    });
  });
});

describe('the first line that was said is the detail', () => {
  test.each([
    ['of stdout', { stdout: 'OK\nmore\n', stderr: 'warning\n' }, 'check: OK'],
    ['of stderr where stdout is silent', { stdout: '\n', stderr: 'oops\n' }, 'check: oops'],
    ['which is the first that is not empty', { stdout: '\n  \nOK\n' }, 'check: OK'],
    ['without control characters', { stdout: 'O\u0007K\r\n' }, 'check: O K'],
    ['bounded', { stdout: 'x'.repeat(500) }, `check: ${'x'.repeat(200)}…`],
    ['or the exit status', {}, 'check: exit 0'],
  ])('%s', (_, output, detail) => {
    expect(verdict(exited(0), output).detail).toBe(detail);
  });

  test('behind the exit status where that is not 0', () => {
    expect(verdict(exited(2), { stdout: 'CRITICAL\n' }).detail).toBe('check: exit 2: CRITICAL');
  });
});

describe('a command', () => {
  test('inherits nothing that a probe in it would take for an option', async () => {
    vi.stubEnv('ANYCAST_HA_ADDRESS', '192.0.2.1');
    vi.stubEnv('ANYCAST_OTHER', 'kept');
    try {
      const { detail } = await run('env | grep ^ANYCAST | tr "\n" " "', { instance: 'ntp' });
      expect(detail.split(' ').slice(1).sort()).toEqual([
        'ANYCAST_INSTANCE=ntp',
        'ANYCAST_OTHER=kept',
      ]);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  test('is run in the root folder', async () => {
    expect((await run('pwd')).detail).toBe('sh: /');
  });

  test('is told the instance and its health where they are known', async () => {
    const script = 'echo "${ANYCAST_INSTANCE-none} ${ANYCAST_HEALTH-none}"';
    expect((await run(script, { instance: 'ntp', health: 'up' })).detail).toBe('sh: ntp up');
    expect((await run(script)).detail).toBe('sh: none none');
  });

  test('that takes too long ends at the timeout', async () => {
    const startedMs = performance.now();
    const late = await run('echo begun; sleep 60', { signal: AbortSignal.timeout(300) });
    expect(performance.now() - startedMs).toBeLessThan(8000);
    expect(late).toMatchObject({ status: 'down', reason: 'timeout' });
    expect(late.detail).toContain('begun');
  });
});

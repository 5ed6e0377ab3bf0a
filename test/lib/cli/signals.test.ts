import { afterEach, describe, expect, test } from 'vitest';
import { listenForSignals, type Signals } from '../../../src/lib/cli/signals.ts';
import { until } from '../../support/until.ts';

const listening: Signals[] = [];

afterEach(() => {
  for (const signals of listening.splice(0)) signals.close();
});

function listen(): Signals {
  const signals = listenForSignals();
  listening.push(signals);
  return signals;
}

/** Sends signals to ourselves, one after the other, as if somebody else did. */
function send(...names: readonly NodeJS.Signals[]): void {
  for (const name of names) process.emit(name, name);
}

describe('what is asked', () => {
  const cases: readonly (readonly [
    sent: readonly NodeJS.Signals[],
    asked: ReturnType<Signals['requested']>,
  ])[] = [
    [[], undefined],
    [['SIGCONT'], undefined],
    [['SIGTERM'], 'withdraw'],
    [['SIGINT'], 'leave'],
    [['SIGHUP'], 'leave'],
    [['SIGTSTP'], 'suspend'],
    [['SIGTSTP', 'SIGCONT'], 'suspend'],
    [['SIGTSTP', 'SIGTERM'], 'withdraw'],
    [['SIGTERM', 'SIGTSTP'], 'withdraw'],
    [['SIGTERM', 'SIGCONT'], 'withdraw'],
    [['SIGINT', 'SIGTERM'], 'withdraw'],
    [['SIGTERM', 'SIGINT'], 'withdraw'],
    [['SIGTSTP', 'SIGINT'], 'leave'],
    [['SIGINT', 'SIGTSTP'], 'leave'],
  ];

  test.each(cases)('%j', (sent, asked) => {
    const signals = listen();
    send(...sent);
    expect(signals.requested()).toBe(asked);
    expect(signals.signal.aborted).toBe(asked !== undefined);
  });

  test('a real signal arrives', async () => {
    const signals = listen();
    process.kill(process.pid, 'SIGHUP');
    await until('the signal', () => signals.requested() === 'leave');
  });
});

test('a second termination, and an interrupt after one, is in a hurry', () => {
  for (const second of ['SIGTERM', 'SIGINT'] as const) {
    const signals = listen();
    send('SIGTERM');
    expect(signals.hurry.aborted).toBe(false);
    send(second);
    expect(signals.hurry.aborted).toBe(true);
    signals.close();
  }
});

test('the exit status tells which signal said to leave', () => {
  const signals = listen();
  send('SIGHUP');
  expect(signals.leaveStatus()).toBe(129);
  send('SIGINT');
  expect(signals.leaveStatus()).toBe(130);
});

test('a stop that was continued before it came about does not come about', () => {
  const signals = listen();
  send('SIGTSTP', 'SIGCONT');
  signals.stop(); // would stop the tests otherwise
  expect(signals.requested()).toBe('suspend');
});

test('after it is closed nothing is handled', () => {
  const before = process.listenerCount('SIGTERM');
  const signals = listen();
  expect(process.listenerCount('SIGTERM')).toBe(before + 1);
  signals.close();
  expect(process.listenerCount('SIGTERM')).toBe(before);
});

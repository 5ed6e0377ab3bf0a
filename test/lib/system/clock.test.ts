import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { monotonicMs, sleep, systemClock } from '../../../src/lib/system/clock.ts';

test('a moment is told on both clocks, with the boot it belongs to', () => {
  const before = Date.now();
  const now = systemClock.now();
  const uptimeMs = Number.parseFloat(readFileSync('/proc/uptime', 'latin1')) * 1000;
  expect(now.wallMs).toBeGreaterThanOrEqual(before);
  expect(now.wallMs).toBeLessThanOrEqual(Date.now());
  expect(Number.isSafeInteger(now.bootMs)).toBe(true);
  expect(now.bootMs).toBeLessThanOrEqual(Math.round(uptimeMs));
  expect(now.bootId).toMatch(/^[0-9a-f-]{36}$/);
});

test('the clocks within a boot never go back', () => {
  let [boot, monotonic] = [0, 0];
  for (let count = 0; count < 1000; count++) {
    expect(systemClock.now().bootMs).toBeGreaterThanOrEqual(boot);
    expect(monotonicMs()).toBeGreaterThanOrEqual(monotonic);
    boot = systemClock.now().bootMs;
    monotonic = monotonicMs();
  }
});

test('sleep lasts as long as it is told to', async () => {
  const started = performance.now();
  await sleep(50);
  expect(performance.now() - started).toBeGreaterThanOrEqual(49);
  await sleep(0);
  await sleep(-5);
});

test('sleep ends when its signal is aborted, and does not begin when that was before', async () => {
  const controller = new AbortController();
  const long = sleep(600_000, controller.signal);
  controller.abort();
  await long;
  await sleep(600_000, controller.signal);
});

test('sleep leaves no listener on its signal', async () => {
  const { signal } = new AbortController();
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners += 1;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners -= 1;
    remove(...args);
  };
  await sleep(1, signal);
  expect(listeners).toBe(0);
});

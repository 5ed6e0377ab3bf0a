import type { PassOptions } from '../../src/lib/pass/ports.ts';
import type { Health, InstanceState } from '../../src/lib/state/instance-state.ts';
import type { Moment } from '../../src/lib/system/clock.ts';

/** A moment of the example boot: 1000 s after it began, unless said otherwise. */
export function moment(bootMs = 1_000_000, bootId = 'this-boot'): Moment {
  return { bootMs, wallMs: 1_800_000_000_000 + bootMs, bootId };
}

export function exampleHealth(changes: Partial<Health> = {}): Health {
  return {
    status: 'up',
    successes: 2,
    failures: 0,
    changedAtMs: 500_000,
    flaps: 0,
    holdUntilMs: 0,
    ...changes,
  };
}

/** The state of an instance that advertised 198.51.100.1 two seconds before `moment()`. */
export function exampleState(changes: Partial<InstanceState> = {}): InstanceState {
  return {
    version: 1,
    instance: 'sample',
    bootId: 'this-boot',
    source: null,
    kind: 'address',
    places: [{ address: '198.51.100.1', interface: 'lo' }],
    health: exampleHealth(),
    advertising: true,
    advertisingChangedAtMs: 500_000,
    transitions: 1,
    leaseFromMs: 950_000,
    prefixRoutes: true,
    leaseMs: 300_000,
    lastPass: {
      atMs: 998_000,
      wallMs: 1_800_000_998_000,
      status: 'up',
      reason: null,
      detail: 'answered',
      durationMs: 12,
    },
    intervalMs: 2000,
    deadlineMs: 4200,
    fall: 2,
    rise: 2,
    suspensionIds: [],
    drain: null,
    drainMs: null,
    drainInterface: null,
    serviceEnd: null,
    warned: [],
    ...changes,
  };
}

/** The defaults of the executables, with one service address. */
export function exampleOptions(changes: Partial<PassOptions> = {}): PassOptions {
  return {
    instance: 'sample',
    source: null,
    places: [{ address: '198.51.100.1', interface: 'lo' }],
    mode: 'pass',
    rise: 2,
    fall: 2,
    holdDownMs: 0,
    holdDownMaxMs: 300_000,
    timeoutMs: 1000,
    attempts: 2,
    retryDelayMs: 200,
    leaseMs: 300_000,
    drainMs: 5000,
    drainInterface: undefined,
    stateDir: '/nonexistent/state',
    persistDir: '/nonexistent/persist',
    lockWaitMs: 2000,
    advice: [],
    ...changes,
  };
}

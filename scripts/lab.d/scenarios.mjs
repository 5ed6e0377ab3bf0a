import { rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { INSTANCE } from './checker.mjs';
import { measure } from './measure.mjs';
import { isRunning, until } from './processes.mjs';
import { RouteWatch } from './route-watch.mjs';
import { SERVICE } from './topology.mjs';

/** @typedef {import('./lab.mjs').Lab} Lab */
/** @typedef {import('./checker.mjs').Method} Method */
/** @typedef {import('./measure.mjs').Measured} Measured */

/**
 * @typedef {object} Setting
 * @property {Lab} lab
 * @property {Method} method what checks the resolver, and already does so
 * @property {number} interval seconds between its passes
 * @property {readonly string[]} probe its options
 * @property {number} drainSeconds
 * @property {number} outSeconds how long the node stays out after a planned withdrawal
 * @property {number} phase when the fault comes: 0 when a check begins, 1 when the next one does
 */

/**
 * @typedef {object} Scenario
 * @property {string} title
 * @property {(setting: Setting, fault: () => void) => Promise<void>} play while the client asks
 * @property {(setting: Setting) => Promise<void>} restore afterwards; then the lab is as before
 */

/**
 * What came of it.
 *
 * @typedef {object} Played
 * @property {Measured} measured what the client saw
 * @property {{ v4: number, v6: number }} routeChanges how often the far router changed its way
 * @property {{ v4: number, v6: number }} circled packets that died because they went in circles
 */

/** After the routers have changed their way, the client asks on for this long. */
const AFTERMATH_MS = 1500;
/** What has not been taken over by then never will be. */
const NEVER_MS = 25_000;
/** The same where only a lease can end it. */
const NO_LEASE_MS = 15_000;

const FLAP_MS = 2000;
const FLAPPING_MS = 60_000;

const restart = [
  process.execPath,
  fileURLToPath(new URL('main.mjs', import.meta.url)),
  'restart-resolver',
];

/** @type {Readonly<Record<string, Scenario>>} */
export const SCENARIOS = {
  planned: {
    title: 'node suspended and resumed',
    play: async (setting, fault) => {
      await takeOut(setting, fault, () => sleep(setting.outSeconds * 1000));
    },
    restore: nothing,
  },
  restart: {
    title: 'Unbound restarted, suspended meanwhile',
    play: async (setting, fault) => {
      const { lab, method, drainSeconds } = setting;
      if (method !== 'probe') {
        await takeOut(setting, fault, async () => {
          await lab.resolver.near.stop();
          await lab.resolver.near.start();
        });
        return;
      }
      fault();
      const drain = ['--drain', `${drainSeconds}s`, '--', ...restart, lab.name, 'near'];
      await mustSucceed(lab.checker.near.execute('ha-suspend', [INSTANCE, ...drain]));
      await backAgain(setting);
    },
    restore: nothing,
  },
  killed: {
    title: 'Unbound killed',
    play: async (setting, fault) => {
      fault();
      setting.lab.resolver.near.signal('SIGKILL');
      await takenOver(setting.lab);
    },
    restore: ({ lab }) => lab.resolver.near.start(),
  },
  frozen: {
    title: 'Unbound frozen',
    play: async (setting, fault) => {
      fault();
      setting.lab.resolver.near.signal('SIGSTOP');
      await takenOver(setting.lab);
    },
    restore: async ({ lab }) => {
      lab.resolver.near.signal('SIGCONT');
      return Promise.resolve();
    },
  },
  servfail: {
    title: 'Unbound answers SERVFAIL only',
    play: async (setting, fault) => {
      fault();
      await setting.lab.resolver.near.servfail();
      await takenOver(setting.lab);
    },
    restore: async ({ lab }) => {
      await lab.resolver.near.stop();
      await lab.resolver.near.start();
    },
  },
  checker: {
    title: 'checker killed with -9, then Unbound killed',
    play: async ({ lab }, fault) => {
      await lab.checker.near.signalChecks('SIGKILL');
      fault();
      lab.resolver.near.signal('SIGKILL');
      await takenOver(lab, NO_LEASE_MS);
    },
    restore: async ({ lab, method, interval, probe }) => {
      await lab.resolver.near.start();
      await lab.checker.near.kill();
      lab.checker.near.start(method, interval, probe);
    },
  },
  stopped: {
    title: 'checker stopped, then Unbound killed',
    play: async ({ lab }, fault) => {
      await lab.checker.near.signalChecks('SIGSTOP');
      fault();
      lab.resolver.near.signal('SIGKILL');
      await takenOver(lab, NO_LEASE_MS);
    },
    restore: async ({ lab }) => {
      await lab.resolver.near.start();
      await lab.checker.near.signalChecks('SIGCONT');
    },
  },
  node: {
    title: 'node dies, its link stays up',
    play: async ({ lab }, fault) => {
      fault();
      // At the device, for IS-IS is no IP.
      const drop = ['ingress', 'egress'].map(
        (hook) =>
          `chain ${hook} { type filter hook ${hook} device bond0 priority 0; policy drop; };`,
      );
      await lab.exec('near', 'nft', [`table netdev cut { ${drop.join(' ')} }`]);
      await takenOver(lab);
    },
    restore: async ({ lab }) => {
      await lab.exec('near', 'nft', ['delete', 'table', 'netdev', 'cut']);
    },
  },
  link: {
    title: 'node dies, its router sees the link go down',
    play: async ({ lab }, fault) => {
      fault();
      await lab.exec('near', 'ip', ['link', 'set', 'bond0', 'down']);
      await takenOver(lab);
    },
    restore: async ({ lab }) => {
      await lab.exec('near', 'ip', ['link', 'set', 'bond0', 'up']);
    },
  },
  flapping: {
    title: 'Unbound dies and returns every 2 s, for a minute',
    play: async ({ lab }, fault) => {
      fault();
      const end = performance.now() + FLAPPING_MS;
      const { near } = lab.resolver;
      while (performance.now() < end) {
        const next = performance.now() + FLAP_MS;
        near.signal('SIGKILL');
        await sleep(next - performance.now());
        await near.start();
        await sleep(Math.max(0, next + FLAP_MS - performance.now()));
      }
    },
    restore: nothing,
  },
};

/**
 * Plays a scenario once, from a steady lab to a steady lab.
 *
 * @param {string} name
 * @param {Setting} setting
 * @returns {Promise<Played>}
 */
export async function playScenario(name, setting) {
  const scenario = SCENARIOS[name];
  if (scenario === undefined) throw new Error(`there is no scenario '${name}'`);
  const { lab } = setting;
  await lab.awaitSteady();
  const watch = await RouteWatch.start(lab, 'r3', SERVICE);
  try {
    const before = await lab.circled();
    const measured = await measure(lab, async (fault) => {
      await lab.checker.near.nextTick();
      await sleep(setting.phase * setting.interval * 1000);
      await scenario.play(setting, fault);
    });
    const routeChanges = watch.changes();
    const after = await lab.circled();
    const circled = { v4: after.v4 - before.v4, v6: after.v6 - before.v6 };
    await scenario.restore(setting);
    await lab.awaitSteady();
    return { measured, routeChanges, circled };
  } finally {
    watch.stop();
  }
}

/**
 * Takes the near node out as planned, does something, and puts it back.
 *
 * @param {Setting} setting
 * @param {() => void} fault
 * @param {() => Promise<void>} meanwhile
 */
async function takeOut(setting, fault, meanwhile) {
  const { lab, method, interval, probe, drainSeconds } = setting;
  const { near } = lab.checker;
  fault();
  switch (method) {
    case 'probe':
      await mustSucceed(near.execute('ha-suspend', [INSTANCE, '--drain', `${drainSeconds}s`]));
      await meanwhile();
      await mustSucceed(near.execute('ha-resume', [INSTANCE, '--wait', '30s']));
      break;
    case 'loop':
      near.signal('SIGTSTP');
      await until('the addresses are out', async () => (await lab.addressesOf('near')).length < 1);
      await meanwhile();
      near.signal('SIGCONT');
      break;
    case 'exabgp':
      writeFileSync(near.disableFile, '');
      await takenOver(lab);
      await meanwhile();
      rmSync(near.disableFile);
      break;
    case 'keepalived': {
      const { pid } = near;
      near.signal('SIGTERM');
      await until('keepalived ends', () => !isRunning(pid));
      await meanwhile();
      near.start(method, interval, probe);
    }
  }
  await backAgain(setting);
}

/** @param {Setting} setting */
async function backAgain({ lab }) {
  await lab.awaitSteady();
  await sleep(AFTERMATH_MS);
}

/**
 * Waits until all routers have turned to the far node; or not, when that does not happen.
 *
 * @param {Lab} lab
 * @param {number} [timeoutMs]
 */
async function takenOver(lab, timeoutMs = NEVER_MS) {
  const limit = { timeoutMs, everyMs: 100 };
  await until('all go to the far node', () => lab.allGoTo('far'), limit).catch(() => undefined);
  await sleep(AFTERMATH_MS);
}

/** @param {Promise<import('./processes.mjs').Finished>} finished */
async function mustSucceed(finished) {
  const { code, stdout, stderr } = await finished;
  if (code !== 0) throw new Error(`exit ${code}: ${stdout}${stderr}`);
}

async function nothing() {
  return Promise.resolve();
}

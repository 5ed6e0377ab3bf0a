import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { namespaceOf } from './topology.mjs';

/** Counts how often the kernel's route to the service changes on a router. */
export class RouteWatch {
  #printed = '';

  /**
   * @param {import('./lab.mjs').Lab} lab
   * @param {'r1' | 'r2' | 'r3'} role
   * @param {{ v4: string, v6: string }} service
   */
  static async start(lab, role, service) {
    const [device = ''] = await lab.routing[role].devicesTo(`${service.v4}/32`);
    const watch = new RouteWatch(namespaceOf(lab.name, role), service, device);
    // It has subscribed by the time it has a socket; that is not to be seen from outside.
    await sleep(300);
    return watch;
  }

  /**
   * @param {string} namespace
   * @param {{ v4: string, v6: string }} service
   * @param {string} device through which it leads now
   */
  constructor(namespace, service, device) {
    this.service = service;
    this.device = device;
    this.child = spawn('ip', ['-n', namespace, 'monitor', 'route'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    this.child.stdout.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      this.#printed += text;
    });
  }

  /** @returns {{ v4: number, v6: number }} how often it turned to another device so far */
  changes() {
    return { v4: this.#turns(this.service.v4), v6: this.#turns(this.service.v6) };
  }

  /** @param {string} address */
  #turns(address) {
    let turns = 0;
    let device = this.device;
    for (const line of this.#printed.split('\n')) {
      if (!line.startsWith(`${address} `)) continue;
      const next = / dev (\S+)/.exec(line)?.[1];
      if (next !== undefined && next !== device) turns += 1;
      device = next ?? device;
    }
    return turns;
  }

  /** What `ip monitor` has printed. */
  get printed() {
    return this.#printed;
  }

  stop() {
    this.child.kill();
  }
}

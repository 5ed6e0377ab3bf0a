import { copyFileSync, existsSync } from 'node:fs';
import path from 'node:path';
import { BootedSystemd } from './booted-systemd.ts';
import { ROOT } from './executable.ts';
import { buildPackage } from './package.ts';

/** Where scripts/check has the root of Debian 13 made (scripts/debian/root). */
export const TRIXIE = path.join(ROOT, 'node_modules/.cache/roots/trixie');

/** A machine with Debian 13, not booted yet. Throws Error where its root was not made. */
export async function createDebian13(): Promise<BootedSystemd> {
  if (!existsSync(path.join(TRIXIE, 'usr'))) {
    throw new Error(`no root of Debian 13: scripts/debian/root trixie ${TRIXIE}`);
  }
  return BootedSystemd.create(TRIXIE);
}

/**
 * Gives a machine the link to its router that the examples are for, with nobody at its end, and
 * its Unbound an answer in a closed network.
 */
export async function prepareNode(machine: BootedSystemd): Promise<void> {
  await machine.namespace.ip('link add bond0 type veth peer name router0');
  for (const command of [
    'address add 198.51.100.2/30 dev bond0',
    'link set bond0 up',
    'link set router0 up',
  ]) {
    await machine.namespace.ip(command);
  }
  machine.write(
    '/etc/unbound/unbound.conf.d/test.conf',
    'server:\n  local-zone: "." transparent\n  local-data: ". 5 IN SOA a.example. b.example. 1 2 3 4 5"\n',
  );
}

/** Boots a prepared machine that has the package of this tree, built in a folder, in /root. */
export async function bootBesidePackage(machine: BootedSystemd, folder: string): Promise<void> {
  const file = await buildPackage(folder);
  await prepareNode(machine);
  copyFileSync(file, machine.root.path(`/root/${path.basename(file)}`));
  await machine.boot();
}

/** The README's lines from a bare server to an announced address, as they stand there. */
export function firstConfiguration(readme: string): string {
  const lines = /```sh\n(apt-get install -y [^]*?)```/.exec(readme)?.[1];
  if (lines === undefined) throw new Error('the README has no first configuration');
  return lines;
}

import { BootedSystemd } from './booted-systemd.ts';
import { createDebian13 } from './debian13.ts';
import { addRsyslog } from './syslog-daemons.ts';

/** Where scripts/install puts the examples and the files for routing. */
export const INSTALLED_EXAMPLES = '/usr/local/share/doc/anycast-ha/examples';

/**
 * Machines with this tree, not booted yet: one with each release, with Debian's configuration of the
 * daemons that the examples are for.
 */
export const RELEASES = [
  {
    name: 'Debian 12',
    create: async (): Promise<BootedSystemd> => {
      const machine = await BootedSystemd.create();
      addRsyslog(machine.root);
      await machine.install();
      return machine;
    },
  },
  {
    name: 'Debian 13',
    create: async (): Promise<BootedSystemd> => {
      const machine = await createDebian13();
      await machine.install('/usr/bin/node');
      return machine;
    },
  },
] as const;

import { BootedSystemd } from './booted-systemd.ts';
import { until } from './until.ts';

/** The service addresses of the instance `recursive`. */
export const ADDRESSES = ['192.0.2.1/32', '2001:db8::1/128'];

const UNBOUND = `server:
  interface: 0.0.0.0
  interface: ::0
  interface-automatic: yes
  access-control: 0.0.0.0/0 allow
  access-control: ::/0 allow
  local-zone: "." transparent
  local-data: ". 5 IN SOA a.example. b.example. 1 2 3 4 5"
`;

/**
 * A machine with this toolkit and Debian's Unbound, which answers the root's SOA record by itself.
 * Nothing of both is started. The Unbound of these tests stays dead when it is killed.
 */
export async function createDnsMachine(): Promise<BootedSystemd> {
  const machine = await BootedSystemd.create();
  await machine.install();
  machine.write('/etc/unbound/unbound.conf.d/test.conf', UNBOUND);
  machine.write('/etc/systemd/system/unbound.service.d/test.conf', '[Service]\nRestart=no\n');
  machine.configure('recursive', 'address = ["192.0.2.1", "2001:db8::1"]\n');
  return machine;
}

/** Waits until the machine has exactly these service addresses. */
export async function untilAdvertised(
  machine: BootedSystemd,
  addresses: readonly string[],
): Promise<void> {
  const wanted = [...addresses].sort().join(' ') || 'none';
  await until(
    `service addresses: ${wanted}`,
    async () => {
      const found = (await machine.namespace.serviceAddresses()).join(' ') || 'none';
      if (found !== wanted) throw new Error(found);
      return true;
    },
    { timeoutMs: 40_000, everyMs: 100 },
  );
}

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Daemon } from './daemon.ts';
import { isListening } from './listening.ts';
import type { Namespace } from './namespace.ts';

/**
 * Name servers that answer on whatever address the node has, configured as DAEMONS in anycast-ha(7)
 * tells. Both know one answer, the SOA record of the root.
 */

/** Unbound on wildcard sockets, whose answers come from the address that was asked. */
export function startUnbound(namespace: Namespace, folder: string): Promise<Daemon> {
  const file = path.join(folder, 'unbound.conf');
  writeFileSync(
    file,
    `server:
  directory: "${folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  interface-automatic: yes
  access-control: 0.0.0.0/0 allow
  access-control: ::/0 allow
  incoming-num-tcp: 200
  module-config: "iterator"
  local-zone: "." static
  local-data: ". 5 SOA a. b. 0 0 0 0 0"
remote-control:
  control-enable: no
`,
  );
  return Daemon.start({
    namespace,
    program: 'unbound',
    args: ['-d', '-c', file],
    ready: () => listens(namespace, '0.0.0.0:53', '[::]:53'),
  });
}

/** BIND, which opens sockets at each address that it finds, and closes them when one goes. */
export function startBind(namespace: Namespace, folder: string): Promise<Daemon> {
  const file = path.join(folder, 'named.conf');
  const zone = path.join(folder, 'root.zone');
  writeFileSync(zone, '$TTL 5\n. SOA a. b. 0 0 0 0 0\n. NS a.\na. A 127.0.0.1\n');
  writeFileSync(
    file,
    `options {
  directory "${folder}";
  listen-on { any; };
  listen-on-v6 { any; };
  pid-file none;
  session-keyfile "${folder}/session.key";
  recursion no;
};
controls { };
zone "." { type primary; file "${zone}"; };
`,
  );
  return Daemon.start({
    namespace,
    program: 'named',
    args: ['-g', '-n', '1', '-c', file],
    ready: () => listens(namespace, '127.0.0.1:53', '[::1]:53'),
  });
}

/** Whether somebody listens at all of these, over UDP and TCP. */
export async function listens(
  namespace: Namespace,
  ...locals: readonly string[]
): Promise<boolean> {
  for (const local of locals) {
    for (const transport of ['udp', 'tcp'] as const) {
      if (!(await isListening(namespace, transport, local))) return false;
    }
  }
  return true;
}

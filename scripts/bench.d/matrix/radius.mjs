/**
 * The configuration of a FreeRADIUS that accepts whoever asks, and says by which node. It listens as
 * DAEMONS in anycast-ha(7) tells; max_requests is Debian's.
 *
 * @param {import('./services.mjs').Site} site
 */
export function radius({ folder, role }) {
  const listen = (/** @type {string} */ address) =>
    `listen {\n type = auth\n ${address}\n port = 1812\n}`;
  return `prefix = /usr
libdir = /usr/lib/freeradius
raddbdir = ${folder}
logdir = ${folder}
run_dir = ${folder}
pidfile = ${folder}/pid
max_requests = 16384
log {
 destination = stdout
}
security {
 status_server = yes
}
thread pool {
 start_servers = 1
 max_servers = 2
 min_spare_servers = 1
 max_spare_servers = 1
}
client any4 {
 ipaddr = 0.0.0.0/0
 secret = testing123
}
client any6 {
 ipv6addr = ::/0
 secret = testing123
}
modules {
}
server default {
 ${listen('ipaddr = *')}
 ${listen('ipv6addr = ::')}
 authorize {
  update control {
   Auth-Type := Accept
  }
  update reply {
   Reply-Message := "node ${role}"
  }
 }
}
`;
}

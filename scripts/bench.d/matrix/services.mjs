import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { mustRun } from '../../lab.d/processes.mjs';
import { SERVICE } from './network.mjs';
import { radius } from './radius.mjs';

/**
 * The services of the matrix, configured as DAEMONS in anycast-ha(7) tells: each answers from the
 * service addresses, and says by which node. None needs ip_nonlocal_bind.
 *
 * @typedef {object} Site where a service is about to run
 * @property {string} folder
 * @property {import('./network.mjs').NodeRole} role
 * @property {string} answer the A record of node.lab. there
 *
 * @typedef {object} Service
 * @property {string} name
 * @property {'dns' | 'radius' | 'http'} protocol
 * @property {number} port
 * @property {readonly ('udp' | 'tcp')[]} transports
 * @property {(site: Site) => Promise<readonly string[]> | readonly string[]} configure writes its
 *   files, and says the command
 */

const ALL = ['127.0.0.1', '::1', SERVICE.v4, SERVICE.v6];

/**
 * @param {Site} site
 * @param {string} name
 * @param {string} text
 */
function write({ folder }, name, text) {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

/** @param {Site} site */
function zone(site) {
  const records = ['@ SOA a b 1 1800 900 604800 5', '@ NS a', 'a A 127.0.0.1'];
  return write(
    site,
    'lab.zone',
    `$ORIGIN lab.\n$TTL 5\n${records.join('\n')}\nnode A ${site.answer}\n`,
  );
}

/**
 * @param {Site} site
 * @param {string} listening
 */
function unbound(site, listening) {
  const file = write(
    site,
    'unbound.conf',
    `server:
  directory: "${site.folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  module-config: "iterator"
  ${listening}
  access-control: 0.0.0.0/0 allow
  access-control: ::/0 allow
  local-zone: "lab." static
  local-data: "node.lab. 5 A ${site.answer}"
remote-control:
  control-enable: no
`,
  );
  return ['unbound', '-d', '-c', file];
}

/** @param {string} name @param {Service['configure']} configure @returns {Service} */
function dns(name, configure) {
  return { name, protocol: 'dns', port: 53, transports: ['udp', 'tcp'], configure };
}

/** @type {readonly Service[]} */
export const SERVICES = [
  dns('Unbound, interface-automatic', (site) => unbound(site, 'interface-automatic: yes')),
  dns('Unbound, ip-freebind', (site) =>
    unbound(
      site,
      [...ALL.map((address) => `interface: ${address}`), 'ip-freebind: yes'].join('\n  '),
    ),
  ),
  dns('BIND', (site) => {
    const file = write(
      site,
      'named.conf',
      `options {
  directory "${site.folder}";
  listen-on { any; };
  listen-on-v6 { any; };
  pid-file none;
  session-keyfile "${site.folder}/session.key";
  recursion no;
};
controls { };
zone "lab" { type primary; file "${zone(site)}"; };
`,
    );
    return ['named', '-g', '-n', '1', '-c', file];
  }),
  dns('PowerDNS Recursor', (site) => {
    write(
      site,
      'recursor.conf',
      `local-address=0.0.0.0, ::
allow-from=0.0.0.0/0, ::/0
auth-zones=lab=${zone(site)}
daemon=no
disable-syslog=yes
socket-dir=${site.folder}
threads=1
security-poll-suffix=
`,
    );
    return ['pdns_recursor', `--config-dir=${site.folder}`];
  }),
  dns('dnsdist', (site) => {
    const file = write(
      site,
      'dnsdist.conf',
      `setLocal('0.0.0.0:53')
addLocal('[::]:53')
setACL({'0.0.0.0/0', '::/0'})
setSecurityPollSuffix('')
addAction(AllRule(), SpoofAction('${site.answer}'))
`,
    );
    return ['dnsdist', '--supervised', '--disable-syslog', '-C', file];
  }),
  dns('dnsmasq', (site) => {
    const lines = ['no-resolv', 'no-hosts', 'user=root', 'pid-file=', 'log-facility=-'];
    const file = write(
      site,
      'dnsmasq.conf',
      `${lines.join('\n')}\naddress=/node.lab/${site.answer}\n`,
    );
    return ['dnsmasq', '-k', '-C', file];
  }),
  dns('Knot Resolver, freebind', (site) => {
    const file = write(
      site,
      'kresd.conf',
      `net.listen({${ALL.map((address) => `'${address}'`).join(', ')}}, 53, { kind = 'dns', freebind = true })
cache.size = 10 * MB
modules = { 'hints > iterate' }
hints['node.lab'] = '${site.answer}'
`,
    );
    return ['kresd', '-n', '-c', file, site.folder];
  }),
  dns('nsd, ip-freebind', (site) => {
    const file = write(
      site,
      'nsd.conf',
      `server:
${ALL.map((address) => `  ip-address: ${address}`).join('\n')}
  ip-freebind: yes
  username: ""
  chroot: ""
  zonesdir: "${site.folder}"
  pidfile: "${site.folder}/nsd.pid"
  database: ""
  xfrdfile: "${site.folder}/xfrd.state"
  zonelistfile: "${site.folder}/zone.list"
  server-count: 1
remote-control:
  control-enable: no
zone:
  name: "lab."
  zonefile: ${zone(site)}
`,
    );
    return ['nsd', '-d', '-c', file];
  }),
  {
    name: 'FreeRADIUS',
    protocol: 'radius',
    port: 1812,
    transports: ['udp'],
    configure: (site) => {
      write(site, 'radiusd.conf', radius(site));
      write(site, 'dictionary', '$INCLUDE /usr/share/freeradius/dictionary\n');
      chmodSync(site.folder, 0o750);
      return ['freeradius', '-f', '-l', 'stdout', '-d', site.folder];
    },
  },
  {
    name: 'squid',
    protocol: 'http',
    port: 3128,
    transports: ['tcp'],
    configure: async (site) => {
      const file = write(
        site,
        'squid.conf',
        `http_port 3128
http_access allow all
visible_hostname ${site.role}
reply_header_add X-Node "node ${site.role}" all
cache_mem 8 MB
access_log none
cache_log ${site.folder}/cache.log
cache_store_log none
pid_filename ${site.folder}/squid.pid
coredump_dir ${site.folder}
pinger_enable off
dns_nameservers 127.0.0.1
shutdown_lifetime 1 seconds
`,
      );
      await mustRun('chown', ['-R', 'proxy', site.folder]); // as whom it goes on
      return ['squid', '-N', '-f', file];
    },
  },
];

import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { runCommand } from './child.ts';
import { Daemon } from './daemon.ts';
import { ROOT } from './executable.ts';
import { isListening } from './listening.ts';
import type { Namespace } from './namespace.ts';

const EXAMPLE = path.join(ROOT, 'scripts/examples/squid/probe.conf');

export const PROXY_PASSWORD = 's3cret';
/** Of user `probe` with PROXY_PASSWORD, as `openssl passwd -1` writes it. */
const PASSWORD_LINE = 'probe:$1$labor$XjtMSYhQAnGgIAL2M4WXK/\n';

/**
 * Squid with the example as it is shipped on port 3128; on port 3130 users have to log in, and
 * port 3131 is closed to everybody, as by a mistake.
 */
export async function startSquid(namespace: Namespace, folder: string): Promise<Daemon> {
  writeFileSync(path.join(folder, 'passwords'), PASSWORD_LINE);
  const file = path.join(folder, 'squid.conf');
  writeFileSync(
    file,
    `
http_port 3128
http_port 3130
http_port 3131
auth_param basic program /usr/lib/squid/basic_ncsa_auth ${folder}/passwords
auth_param basic children 1 startup=1
acl login_port localport 3130
acl closed_port localport 3131
acl users proxy_auth REQUIRED
http_access deny login_port !users
http_access deny closed_port
include ${EXAMPLE}
http_access deny all
cache_mem 8 MB
access_log stdio:${folder}/access.log
cache_log ${folder}/cache.log
cache_store_log none
pid_filename ${folder}/squid.pid
coredump_dir ${folder}
visible_hostname proxy.test
pinger_enable off
dns_nameservers 127.0.0.1
shutdown_lifetime 1 seconds
`,
  );
  // It gives up root for the user proxy.
  await runCommand('chown', ['-R', 'proxy', folder]);
  return Daemon.start({
    namespace,
    program: 'squid',
    args: ['-N', '-f', file],
    ready: () => isListening(namespace, 'tcp', '*:3128'),
  });
}

/** tinyproxy on port 8888, with CONNECT allowed to port 8081 only. */
export function startTinyproxy(namespace: Namespace, folder: string): Promise<Daemon> {
  const file = path.join(folder, 'tinyproxy.conf');
  writeFileSync(
    file,
    `
Port 8888
Listen 127.0.0.1
Timeout 60
MaxClients 10
Allow 127.0.0.1
ConnectPort 8081
`,
  );
  return Daemon.start({
    namespace,
    program: 'tinyproxy',
    args: ['-d', '-c', file],
    ready: () => isListening(namespace, 'tcp', '127.0.0.1:8888'),
  });
}

/** An origin's answer is the status that the path names; `/slow` sends a byte every 50 ms. */
const ORIGIN = `
require('node:http').createServer((request, response) => {
  if (request.url === '/slow') {
    response.writeHead(200, { 'Content-Length': 1000 });
    setInterval(() => response.write('x'), 50);
    return;
  }
  response.writeHead(Number(request.url.split('/')[1]));
  response.end('origin says hello');
}).listen(8081, '127.0.0.1');
`;

export function startOrigin(namespace: Namespace): Promise<Daemon> {
  return Daemon.start({
    namespace,
    program: process.execPath,
    args: ['-e', ORIGIN],
    ready: () => isListening(namespace, 'tcp', '127.0.0.1:8081'),
  });
}

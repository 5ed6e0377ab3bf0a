import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeCertificates } from './certificates.ts';
import { runCommand } from './child.ts';
import { Daemon } from './daemon.ts';
import { isListening } from './listening.ts';
import type { Namespace } from './namespace.ts';

/** A web server on port 80 of 127.0.0.1 and ::1, and over TLS on 443 and, for old, on 444. */
export interface WebServer {
  readonly name: string;
  readonly start: (namespace: Namespace, folder: string) => Promise<Daemon>;
}

/**
 * Makes what the servers serve, with the certificates of an authority of its own. `/gzip` comes
 * compressed whoever asks, `/old` is a redirect.
 */
export async function makeSite(folder: string): Promise<void> {
  await makeCertificates(folder);
  mkdirSync(path.join(folder, 'html'));
  writeFileSync(path.join(folder, 'html/index.html'), '<html>welcome to www.test</html>\n');
  writeFileSync(path.join(folder, 'html/long.txt'), 'a long text\n'.repeat(200_000));
  const zipped = await runCommand('gzip', ['-k', path.join(folder, 'html/index.html')]);
  if (zipped.exitCode !== 0) throw new Error(zipped.stderr);
  await runCommand('chmod', ['-R', 'a+rX', folder]);
}

export const WEB_SERVERS: readonly WebServer[] = [
  { name: 'nginx', start: startNginx },
  { name: 'Apache', start: startApache },
];

function startNginx(namespace: Namespace, folder: string): Promise<Daemon> {
  const tls = (port: number, name: string): string => `server {
    listen 127.0.0.1:${port} ssl;
    root ${folder}/html;
    ssl_certificate ${folder}/${name}.pem;
    ssl_certificate_key ${folder}/${name}.key;
  }`;
  const file = path.join(folder, 'nginx.conf');
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  writeFileSync(
    file,
    `daemon off;
user root;
pid ${folder}/nginx.pid;
error_log stderr;
worker_processes 1;
events { }
http {
  ${paths.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  access_log off;
  default_type text/html;
  server {
    listen 127.0.0.1:80;
    listen [::1]:80;
    root ${folder}/html;
    location = /old { return 301 http://www.test/; }
    location = /gzip { alias ${folder}/html/index.html.gz; add_header Content-Encoding gzip; }
    location = /broken { return 503; }
    location /chunked { proxy_pass http://127.0.0.1:8081; proxy_http_version 1.1; }
  }
  ${tls(443, 'www')}
  ${tls(444, 'short')}
}
`,
  );
  return Daemon.start({
    namespace,
    program: 'nginx',
    args: ['-c', file, '-e', 'stderr'],
    ready: () => isListening(namespace, 'tcp', '127.0.0.1:444'),
  });
}

function startApache(namespace: Namespace, folder: string): Promise<Daemon> {
  const modules = ['mpm_event', 'authz_core', 'dir', 'alias', 'headers', 'ssl', 'mime'];
  const tls = (port: number, name: string): string => `<VirtualHost *:${port}>
  SSLEngine on
  SSLCertificateFile ${folder}/${name}.pem
  SSLCertificateKeyFile ${folder}/${name}.key
</VirtualHost>`;
  const load = [...modules, 'proxy', 'proxy_http'].map(
    (name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`,
  );
  const file = path.join(folder, 'apache.conf');
  writeFileSync(
    file,
    `ServerRoot ${folder}
ServerName www.test
PidFile ${folder}/apache.pid
DefaultRuntimeDir ${folder}
ErrorLog ${folder}/error.log
${load.join('\n')}
User www-data
Group www-data
Listen 127.0.0.1:80
Listen [::1]:80
Listen 127.0.0.1:443
Listen 127.0.0.1:444
TypesConfig /etc/mime.types
DocumentRoot ${folder}/html
DirectoryIndex index.html
Redirect permanent /old http://www.test/
Redirect 503 /broken
Alias /gzip ${folder}/html/index.html.gz
<Location /gzip>
  Header set Content-Encoding gzip
</Location>
ProxyPass /chunked http://127.0.0.1:8081/chunked
${tls(443, 'www')}
${tls(444, 'short')}
`,
  );
  return Daemon.start({
    namespace,
    program: 'apache2',
    args: ['-X', '-f', file],
    ready: () => isListening(namespace, 'tcp', '127.0.0.1:444'),
  });
}

/** An origin behind the servers: `/chunked` in pieces, `/chunked/slow` a byte every 50 ms. */
const ORIGIN = `
require('node:http').createServer((request, response) => {
  response.writeHead(200);
  if (request.url === '/chunked/slow') return void setInterval(() => response.write('x'), 50);
  if (request.url === '/chunked/silent') return void response.flushHeaders();
  let pieces = 5;
  const timer = setInterval(() => {
    if (pieces-- > 0) response.write('piece ');
    else response.end('of chunks', () => clearInterval(timer));
  }, 5);
}).listen(8081, '127.0.0.1');
`;

export function startChunkedOrigin(namespace: Namespace): Promise<Daemon> {
  return Daemon.start({
    namespace,
    program: process.execPath,
    args: ['-e', ORIGIN],
    ready: () => isListening(namespace, 'tcp', '127.0.0.1:8081'),
  });
}

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runCommand } from './child.ts';
import { Daemon, type DaemonPlan } from './daemon.ts';
import type { Namespace } from './namespace.ts';

/** The address of the only root server that the resolvers know. */
const ROOT_SERVER = '127.0.0.2';

const ZONE = `$TTL 5
.           SOA a.root.lab. hostmaster.root.lab. 2024010101 1800 900 604800 5
.           NS  a.root.lab.
a.root.lab. A   ${ROOT_SERVER}
ok.lab.     A   192.0.2.99
bogus.lab.  A   192.0.2.66
big.lab.    TXT ${`"${'x'.repeat(200)}" `.repeat(10)}
probe.      NS  a.root.lab.
`;

/** A zone that is not signed, in which every name exists. */
const WILDCARD_ZONE = `$TTL 5
probe.   SOA a.root.lab. hostmaster.root.lab. 2024010101 1800 900 604800 5
probe.   NS  a.root.lab.
*.probe. A   192.0.2.99
`;

const HINTS = `. 3600 NS a.root.lab.\na.root.lab. 3600 A ${ROOT_SERVER}\n`;

/**
 * A root zone of the tests' own, so that resolvers recurse without leaving the machine. It is
 * signed, and the signature of `bogus.lab` is broken.
 */
export async function startRootServer(namespace: Namespace, folder: string): Promise<Daemon> {
  const inFolder = { cwd: folder };
  writeFileSync(path.join(folder, 'root.zone'), ZONE);
  writeFileSync(path.join(folder, 'root.hints'), HINTS);
  writeFileSync(path.join(folder, 'probe.zone'), WILDCARD_ZONE);
  await mustRun('dnssec-keygen', ['-q', '-a', 'ECDSAP256SHA256', '-f', 'KSK', '.'], inFolder);
  const signing = ['-z', '-S', '-o', '.', '-f', 'root.signed', 'root.zone'];
  await mustRun('dnssec-signzone', signing, inFolder);
  const signed = readFileSync(path.join(folder, 'root.signed'), 'latin1');
  writeFileSync(path.join(folder, 'root.signed'), signed.replace('192.0.2.66', '192.0.2.67'));

  const configuration = `server:
  ip-address: ${ROOT_SERVER}
  username: ""
  chroot: ""
  zonesdir: "${folder}"
  pidfile: "${folder}/nsd.pid"
  database: ""
  xfrdfile: "${folder}/xfrd.state"
  zonelistfile: "${folder}/zone.list"
  server-count: 1
remote-control:
  control-enable: no
zone:
  name: "."
  zonefile: root.signed
zone:
  name: "probe."
  zonefile: probe.zone
`;
  writeFileSync(path.join(folder, 'nsd.conf'), configuration);
  return Daemon.start({
    namespace,
    program: 'nsd',
    args: ['-d', '-c', path.join(folder, 'nsd.conf')],
    ready: () => answers(namespace, ROOT_SERVER),
  });
}

/** A kind of resolver, listening on 127.0.0.1 and ::1. */
export interface Resolver {
  readonly name: string;
  /** Whether it recurses and validates by itself, or only forwards. */
  readonly validates: boolean;
  /** What it says of itself as `version.bind`, at its beginning; undefined: it fails. */
  readonly version: string | undefined;
  /** Writes its configuration and says how it is started. */
  readonly configure: (folder: string) => Pick<DaemonPlan, 'program' | 'args'>;
}

export const RESOLVERS: readonly Resolver[] = [
  unbound('Unbound', ''),
  {
    name: 'BIND',
    version: '9.',
    validates: true,
    configure: (folder) => ({
      program: 'named',
      args: [
        '-g',
        '-c',
        write(
          folder,
          'named.conf',
          `options {
  directory "${folder}";
  listen-on { 127.0.0.1; };
  listen-on-v6 { ::1; };
  pid-file none;
  session-keyfile "${folder}/session.key";
  managed-keys-directory "${folder}";
  recursion yes;
  dnssec-validation yes;
};
controls { };
trust-anchors { . static-key ${key(folder)}; };
zone "." { type hint; file "root.hints"; };
`,
        ),
      ],
    }),
  },
  {
    name: 'Knot Resolver',
    version: undefined,
    validates: true,
    configure: (folder) => knot(folder),
  },
  {
    name: 'dnsmasq',
    version: 'dnsmasq-2',
    validates: false,
    configure: (folder) => ({
      program: 'dnsmasq',
      args: [
        '-k',
        '-C',
        write(
          folder,
          'dnsmasq.conf',
          `no-resolv
no-hosts
server=${ROOT_SERVER}
listen-address=127.0.0.1,::1
bind-interfaces
user=root
pid-file=
log-facility=-
`,
        ),
      ],
    }),
  },
];

/** With data in its cache that outlives its TTL, and the words for that (RFC 8767, RFC 8914). */
export const STALE_UNBOUND: Resolver = unbound(
  'Unbound that serves stale data',
  `  interface: fe80::53%ask0
  access-control: fe80::/10 allow
  serve-expired: yes
  serve-expired-client-timeout: 100
  ede: yes
  ede-serve-expired: yes
`,
);

function unbound(name: string, more: string): Resolver {
  return {
    name,
    validates: true,
    version: 'unbound 1',
    configure: (folder) => ({
      program: 'unbound',
      args: [
        '-d',
        '-c',
        write(
          folder,
          'unbound.conf',
          `server:
  directory: "${folder}"
  chroot: ""
  username: ""
  pidfile: "${folder}/unbound.pid"
  use-syslog: no
  logfile: ""
  interface: 127.0.0.1
  interface: ::1
  root-hints: "${folder}/root.hints"
  trust-anchor-file: "${keyFile(folder)}"
  do-not-query-localhost: no
${more}remote-control:
  control-enable: no
`,
        ),
      ],
    }),
  };
}

/** Servers that answer over TLS and HTTPS, with `www.pem` and `www.key` of their folder. */
export const TLS_SERVERS: readonly Resolver[] = [
  unbound(
    'Unbound',
    `  interface: 127.0.0.1@853
  interface: 127.0.0.1@443
  tls-port: 853
  https-port: 443
  tls-service-key: "www.key"
  tls-service-pem: "www.pem"
`,
  ),
  {
    name: 'Knot Resolver',
    validates: true,
    version: undefined,
    configure: (folder) => knot(folder, 'tls', 'doh2'),
  },
  {
    name: 'dnsdist',
    validates: false,
    version: undefined,
    configure: dnsdist,
  },
];

function dnsdist(folder: string): Pick<DaemonPlan, 'program' | 'args'> {
  const file = write(
    folder,
    'dnsdist.conf',
    `setLocal('127.0.0.1:53')
addLocal('[::1]:53')
newServer({ address = '${ROOT_SERVER}', checkName = '.', checkType = 'SOA' })
addTLSLocal('127.0.0.1:853', '${folder}/www.pem', '${folder}/www.key')
addDOHLocal('127.0.0.1:443', '${folder}/www.pem', '${folder}/www.key', '/dns-query')
`,
  );
  return { program: 'dnsdist', args: ['--supervised', '--disable-syslog', '-C', file] };
}

/** @param more kinds of listeners that want a certificate, on their own ports */
function knot(folder: string, ...more: ('tls' | 'doh2')[]): Pick<DaemonPlan, 'program' | 'args'> {
  mkdirSync(path.join(folder, 'kresd'));
  const ports = { tls: 853, doh2: 443 };
  const secure = more.map(
    (kind) => `net.listen('127.0.0.1', ${ports[kind]}, { kind = '${kind}' })`,
  );
  const file = write(
    folder,
    'kresd.conf',
    `net.listen('127.0.0.1', 53, { kind = 'dns' })
net.listen('::1', 53, { kind = 'dns' })
${secure.join('\n')}
${secure.length > 0 ? `net.tls('${folder}/www.pem', '${folder}/www.key')` : ''}
cache.size = 10 * MB
trust_anchors.remove('.')
trust_anchors.add_file('${keyFile(folder)}', true)
modules = { 'hints > iterate' }
hints.root({ ['a.root.lab.'] = '${ROOT_SERVER}' })
option('ALLOW_LOCAL', true)
`,
  );
  return { program: 'kresd', args: ['-n', '-c', file, path.join(folder, 'kresd')] };
}

/** Starts a resolver; the root server has to be running. */
export function startResolver(
  resolver: Resolver,
  namespace: Namespace,
  folder: string,
): Promise<Daemon> {
  return Daemon.start({
    namespace,
    ...resolver.configure(folder),
    cwd: folder,
    ready: async () => (await answers(namespace, '127.0.0.1')) && (await answers(namespace, '::1')),
  });
}

/** Whether a server gives the root's SOA record, as a client says that is not ours. */
async function answers(namespace: Namespace, server: string): Promise<boolean> {
  const asked = ['+time=1', '+tries=1', '+short', `@${server}`, '.', 'SOA'];
  const { stdout } = await namespace.exec('dig', asked);
  return stdout.startsWith('a.root.lab. ');
}

/** The file with the zone's only key. */
function keyFile(folder: string): string {
  const name = readdirSync(folder).find((file) => file.startsWith('K.+') && file.endsWith('.key'));
  if (name === undefined) throw new Error('the root zone has no key');
  return path.join(folder, name);
}

/** The key as BIND's configuration wants it: flags, protocol, algorithm and the quoted key. */
function key(folder: string): string {
  const record = /DNSKEY (\d+ \d+ \d+) (.+)$/m.exec(readFileSync(keyFile(folder), 'latin1'));
  return `${record?.[1] ?? ''} "${record?.[2] ?? ''}"`;
}

function write(folder: string, name: string, content: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
}

async function mustRun(
  program: string,
  args: readonly string[],
  options: { readonly cwd: string },
): Promise<void> {
  const { exitCode, stderr } = await runCommand(program, args, options);
  if (exitCode !== 0) throw new Error(`${program}: ${stderr}`);
}

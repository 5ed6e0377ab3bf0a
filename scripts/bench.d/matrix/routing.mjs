import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../../lab.d/paths.mjs';
import { mustRun, run, startDetached, until } from '../../lab.d/processes.mjs';

/** What a node can run: this machine's own FRR and BIRD, and the FRR of the Debian 13 root. */
export const SPEAKERS = /** @type {const} */ (['frr', 'bird', 'frr13']);

/** @typedef {typeof SPEAKERS[number]} Speaker */
/** @typedef {import('./network.mjs').NodeRole} NodeRole */

const TRIXIE = path.join(ROOT, 'node_modules/.cache/roots/trixie');
const DAEMONS = ['zebra', 'ospfd', 'ospf6d'];

/** FRR 8.4 accepts neither BIRD's nor FRR 10.3's authentication of OSPFv3. */
const AUTHENTICATION = /\n ipv6 ospf6 authentication[^\n]*/g;

/** @param {string} name of a file in scripts/routing */
function example(name) {
  return readFileSync(path.join(ROOT, 'scripts/routing', name), 'utf8');
}

/**
 * The example, with an entry for the drain interface where it has none.
 *
 * @param {NodeRole} role
 * @param {boolean} authenticated
 */
function frrNode(role, authenticated) {
  let text = example('frr/node.conf');
  for (const [map, match] of text.includes('ha-drain')
    ? []
    : [
        ['SERVICE4', 'ip address prefix-list SERVICE4'],
        ['SERVICE6', 'ipv6 address prefix-list SERVICE6'],
      ]) {
    const entry = `route-map ${map} permit 20\n match interface ha-drain\n match ${match}\n set metric 60000\n!\n`;
    text = text.replace('interface bond0\n', `${entry}interface bond0\n`);
  }
  if (role === 'far') text = text.replaceAll('198.51.100.2', '198.51.100.6');
  return authenticated ? text : text.replaceAll(AUTHENTICATION, '');
}

/** The example, with a last resort for what is on the drain interface where it has none. */
function birdNode() {
  const text = example('bird/node.conf');
  if (text.includes('ha-drain')) return text;
  return text
    .replace('interface "lo";', 'interface "lo", "ha-drain";')
    .replaceAll(
      'ospf_metric2 = 20; accept;',
      'if ifname = "ha-drain" then ospf_metric2 = 60000; else ospf_metric2 = 20; accept;',
    );
}

/** @param {boolean} authenticated whether the near node speaks OSPFv3 with authentication */
function router(authenticated) {
  const text = example('frr/router.conf');
  const link = /interface node0\n[^]*?\n!\n(?=interface)/.exec(text)?.[0] ?? '';
  const dear = link
    .replace('interface node0', 'interface node1')
    .replace('! ip ospf cost', ' ip ospf cost')
    .replace('! ipv6 ospf6 cost', ' ipv6 ospf6 cost');
  const near = authenticated ? link : link.replaceAll(AUTHENTICATION, '');
  return text.replace(link, `${near}${dear}`);
}

/** The routing daemons of the network. */
export class Routing {
  /**
   * @param {import('./network.mjs').Network} network
   * @param {string} folder
   */
  constructor(network, folder) {
    this.network = network;
    this.folder = folder;
  }

  /**
   * Starts all of them, and waits until the router has both nodes as neighbours.
   *
   * @param {Speaker} speaker of the near node
   */
  async start(speaker) {
    const authenticated = speaker === 'frr';
    const near = {
      frr: () => this.#frr('near', frrNode('near', true)),
      bird: () => this.#bird(birdNode()),
      frr13: () => this.#frr13(frrNode('near', false)),
    };
    await Promise.all([
      this.#frr('router', router(authenticated)),
      this.#frr('far', frrNode('far', true)),
      near[speaker](),
    ]);
    await until(
      'the router has two neighbours',
      async () => {
        const shown = await mustRun('vtysh', [
          ...this.#vtyshOptions('router'),
          ...['-c', 'show ip ospf neighbor', '-c', 'show ipv6 ospf6 neighbor'],
        ]);
        return (shown.match(/\bFull\b/g) ?? []).length === 4;
      },
      { timeoutMs: 60_000, everyMs: 300 },
    );
  }

  /** @param {import('./network.mjs').Role} role */
  #place(role) {
    const folder = path.join(this.folder, `routing-${role}`);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** @param {import('./network.mjs').Role} role */
  #vtyshOptions(role) {
    const folder = this.#place(role);
    return ['--vty_socket', folder, '--config_dir', folder];
  }

  /**
   * @param {import('./network.mjs').Role} role
   * @param {string} configuration
   */
  async #frr(role, configuration) {
    const folder = this.#place(role);
    const [user, group] = await Promise.all([
      mustRun('id', ['-u', 'frr']),
      mustRun('getent', ['group', 'frrvty']),
    ]);
    chownSync(folder, Number(user), Number(group.split(':')[2]));
    writeFileSync(path.join(folder, 'vtysh.conf'), '');
    writeFileSync(path.join(folder, 'frr.conf'), configuration);
    for (const daemon of DAEMONS) {
      const zserv = path.join(folder, 'zserv.api');
      startDetached(path.join(folder, `${daemon}.log`), 'ip', [
        ...['netns', 'exec', this.network.namespaceOf(role), `/usr/lib/frr/${daemon}`],
        ...['-f', '/dev/null', '-z', zserv, '--vty_socket', folder, '-P', '0'],
        ...['-i', path.join(folder, `${daemon}.pid`), '--log', 'stdout'],
      ]);
      const socket = daemon === 'zebra' ? zserv : path.join(folder, `${daemon}.vty`);
      await until(`${role}: ${daemon}`, () => existsSync(socket), { everyMs: 50 });
    }
    const options = [...this.#vtyshOptions(role), '-f', path.join(folder, 'frr.conf')];
    accepted(role, await run('vtysh', options));
  }

  /** @param {string} configuration */
  async #bird(configuration) {
    const folder = this.#place('near');
    const file = path.join(folder, 'bird.conf');
    writeFileSync(file, configuration);
    startDetached(path.join(folder, 'log'), 'ip', [
      ...['netns', 'exec', this.network.namespaceOf('near'), 'bird', '-f', '-c', file],
      ...['-s', path.join(folder, 'bird.ctl'), '-P', path.join(folder, 'bird.pid')],
    ]);
  }

  /**
   * The daemons of another root, over which they write in memory. mgmtd keeps their route maps.
   *
   * @param {string} configuration
   */
  async #frr13(configuration) {
    if (!existsSync(path.join(TRIXIE, 'usr/lib/frr'))) {
      throw new Error(`no root of Debian 13 with FRR: scripts/debian/root trixie ${TRIXIE}`);
    }
    const folder = this.#place('near');
    const script = [
      `mount -t tmpfs tmpfs ${folder}`,
      `cd ${folder} && mkdir over work root`,
      `mount -t overlay -o lowerdir=${TRIXIE},upperdir=over,workdir=work overlay root`,
      'mount -t proc proc root/proc && mount --rbind /dev root/dev',
      'cat >root/etc/frr/frr13.conf',
      ': >root/etc/frr/vtysh.conf',
      'install -d -o 0 -m 777 root/run/frr',
      ...['mgmtd', ...DAEMONS].map(
        (daemon) => `chroot root /usr/lib/frr/${daemon} -d -P 0 >root/root/${daemon}.log 2>&1`,
      ),
      'chroot root vtysh -f /etc/frr/frr13.conf',
    ].join(' && ');
    const file = path.join(this.folder, 'frr13.conf');
    writeFileSync(file, configuration);
    const inside = ['netns', 'exec', this.network.namespaceOf('near')];
    const shell = ['unshare', '--mount', 'sh', '-c', `(${script}) <${file}`];
    accepted('near', await run('ip', [...inside, ...shell]));
  }
}

/**
 * @param {string} role
 * @param {import('../../lab.d/processes.mjs').Finished} vtysh
 */
function accepted(role, { code, stdout, stderr }) {
  const said = stdout + stderr;
  if (code !== 0 || /unknown command|fail|error|%/i.test(said)) throw new Error(`${role}: ${said}`);
}

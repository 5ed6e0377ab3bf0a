import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../../build/bundle.mjs';
import { inNamespace } from './measure.mjs';

/** Files of the measurement, on the /run of its own. */
const FOLDER = '/run/bench';
const HERE = import.meta.dirname;

/** An empty program: the cost of Node alone. */
export const EMPTY = path.join(FOLDER, 'empty');

const EXECUTABLES = path.join(FOLDER, 'bin');

/** Where the servers note the questions that they see. */
const ASKED = path.join(FOLDER, 'asked');

/** One for an instance of its own, and six: as many as a crontab that this project began with. */
const FAR_ADDRESSES = Array.from({ length: 7 }, (_, number) => `198.51.100.${2 + number}`);

/**
 * @param {string} command
 * @param {readonly string[]} args
 */
function must(command, args) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr}`);
}

/** @param {readonly string[]} lines for `ip -batch` */
function ip(...lines) {
  const { status, stderr } = spawnSync('ip', ['-batch', '-'], { input: lines.join('\n') });
  if (status !== 0) throw new Error(`ip: ${String(stderr)}`);
}

/**
 * @param {string} command
 * @param {readonly string[]} args of a program that says `ready`
 */
function serve(command, args) {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ASKED },
  });
  child.unref(); // it ends with the namespaces
  return new Promise((resolve, reject) => {
    child.once('exit', (status) => {
      reject(new Error(`${command} ended with ${String(status)}`));
    });
    child.stdout.once('data', () => {
      child.stdout.destroy();
      resolve(undefined);
    });
  });
}

/**
 * Makes what the probes need: a node with servers on its loopback, a second network namespace that
 * a route leads to, and configuration files. It all goes with the namespaces.
 */
export async function prepareSite() {
  must('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', '/run']);
  for (const folder of ['', '/asked', '/conf', '/hundred', '/thousand', '/routes'])
    mkdirSync(FOLDER + folder);
  must('ip', ['netns', 'add', 'far']);
  ip(
    'link set lo up',
    'link add near type veth peer name far netns far',
    'addr add 198.51.100.1/24 dev near',
    'link set near up',
  );
  for (const args of [
    'link set lo up',
    'link set far up',
    ...FAR_ADDRESSES.map((address) => `addr add ${address}/24 dev far`),
  ]) {
    must('ip', ['-n', 'far', ...args.split(' ')]);
  }
  const responders = path.join(HERE, 'responders.mjs');
  await serve(process.execPath, [responders]);
  await serve('ip', ['netns', 'exec', 'far', process.execPath, responders, ...FAR_ADDRESSES]);
  for (const name of ['hundred', 'thousand']) {
    // Of their own: reading an interface costs everybody for each address that is there.
    must('ip', ['netns', 'add', name]);
    must('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    await serve('ip', ['netns', 'exec', name, process.execPath, responders]);
  }

  // As they are installed: near our own package.json, Node takes them for ES modules.
  cpSync(path.join(ROOT, 'dist'), EXECUTABLES, { recursive: true });
  writeFileSync(EMPTY, '');
  writeFileSync(path.join(FOLDER, 'secret'), 'bench\n', { mode: 0o600 });
  for (let number = 0; number < 100; number += 1) {
    writeFileSync(
      path.join(FOLDER, `hundred/i${number}.toml`),
      `address = ["10.1.0.${number}"]\nlease = "off"\n`,
    );
  }
  for (const address of FAR_ADDRESSES.slice(1)) {
    writeFileSync(
      path.join(FOLDER, `routes/${address}.toml`),
      `interface = "near"\naddress = "${address}"\nport = [80]\nlease = "off"\n`,
    );
  }
  for (const [name, lines] of Object.entries(CONFIGURATIONS)) {
    writeFileSync(path.join(FOLDER, `conf/${name}.toml`), `lease = "off"\n${lines.join('\n')}\n`);
  }
  const addresses = Array.from(
    { length: 1000 },
    (_, n) => `10.2.${Math.floor(n / 250)}.${n % 250}`,
  );
  writeFileSync(
    path.join(FOLDER, 'thousand/all.toml'),
    `address = ${JSON.stringify(addresses)}\nlease = "off"\n`,
  );
}

/** The command that exec-probe is measured with. */
export const COMMAND = '/bin/true';

/**
 * What makes each probe manage something, as in a file of /etc/anycast-ha. A lease that is off is
 * never renewed, so that a pass changes nothing.
 *
 * @type {Readonly<Record<string, readonly string[]>>}
 */
const CONFIGURATIONS = {
  'dns-probe': ['address = ["192.0.2.1"]'],
  'syslog-probe': ['address = ["192.0.2.2"]'],
  'squid-probe': ['address = ["192.0.2.3"]'],
  'tcp-route-probe': ['interface = "near"', 'address = "198.51.100.2"', 'port = [80]'],
  'radius-probe': ['address = ["192.0.2.4"]', `secret-file = "${FOLDER}/secret"`],
  'exec-probe': ['address = ["192.0.2.5"]', `command = ["${COMMAND}"]`],
  withdrawn: ['address = ["192.0.2.6"]', 'rise = 1', 'fall = 1', 'hold-down = "0s"'],
};

/** The port of the server that sees the question of a row, if a server of ours does. */
const PORTS = { 'dns-probe': 53, 'syslog-probe': 5514, 'squid-probe': 3128, 'radius-probe': 18120 };

/** The instances that have addresses. */
const WITHOUT_ROUTE = ['dns-probe', 'syslog-probe', 'squid-probe', 'radius-probe', 'exec-probe'];

/** How many questions a server has seen until now. @param {number} port */
function askedOn(port) {
  return statSync(path.join(ASKED, String(port)), { throwIfNoEntry: false })?.size ?? 0;
}

/** How often the instance that is withdrawn changed between up and down. */
function transitions() {
  const text = readFileSync('/run/anycast-ha/withdrawn.json', 'utf8');
  return Number(/"transitions":(\d+)/.exec(text)?.[1]);
}

/**
 * Begins to look whether what is measured does its work.
 *
 * @param {Readonly<Record<string, readonly string[]>>} commands by name of their rows
 * @param {number} runs of each command
 * @returns {() => void} throws Error where, since then, a server saw fewer questions than were to
 *   be asked, an address or route is not there, or the address did not come and go each time
 */
export function watchWork(commands, runs) {
  const names = Object.keys(commands).filter((name) => name !== 'ha-status');
  const count = (/** @type {string} */ probe) =>
    names.filter((name) => executableOf(name) === probe).length;
  const before = new Map(Object.entries(PORTS).map(([probe, port]) => [probe, askedOn(port)]));
  const moves = names.some((name) => name.includes('that withdraws'));
  const movedBefore = moves ? transitions() : 0;
  return () => {
    for (const [probe, port] of Object.entries(PORTS)) {
      const asked = askedOn(port) - (before.get(probe) ?? 0);
      const wanted = count(probe) * runs;
      if (asked < wanted) throw new Error(`${probe}: ${asked} of ${wanted} questions were seen`);
    }
    const kernel = ['address', 'route']
      .map((what) => String(spawnSync('ip', [what, 'show']).stdout))
      .join('');
    for (const [probe, lines] of Object.entries(CONFIGURATIONS)) {
      if (count(probe) === 0) continue;
      const address = /address = \[?"([^"]+)"/.exec(lines.join('\n'))?.[1] ?? '?';
      if (!kernel.includes(`${address} `) && !kernel.includes(`${address}/32`)) {
        throw new Error(`${probe}: ${address} is not in the kernel`);
      }
    }
    const moved = moves ? transitions() - movedBefore : 2 * runs;
    if (moves && moved !== 2 * runs) {
      throw new Error(`the address came and went ${moved} times, not ${2 * runs}`);
    }
  };
}

/**
 * Passes until nothing changes any more, so that the measured ones change nothing.
 *
 * @param {readonly (readonly string[])[]} commands
 */
export function settle(commands) {
  for (let pass = 0; pass < 3; pass += 1) {
    for (const command of commands) {
      const [program = '', ...args] = inNamespace(command);
      spawnSync(program, args);
    }
  }
}

/** @param {string} name of a row */
function executableOf(name) {
  return name.replace(/,.*/, '');
}

/**
 * The commands to measure, by name: passes as the units run them, from a configuration file.
 *
 * @param {string} node path of the Node to run them with
 * @param {string | undefined} cache folder for Node's compile cache; undefined: without, as cron
 * @returns {Readonly<Record<string, readonly string[]>>}
 */
export function passesOn(node, cache) {
  const start = cache === undefined ? [node] : [`env:NODE_COMPILE_CACHE=${cache}`, node];
  const ending = cache === undefined ? '' : ', with the cache';
  /** @param {string} name @param {string} config @param {readonly string[]} more */
  const pass = (name, config, ...more) => [
    ...[...start, path.join(EXECUTABLES, name)],
    ...['--config', path.join(FOLDER, config), ...more],
  ];
  const probes = Object.keys(CONFIGURATIONS)
    .filter((name) => name.endsWith('-probe'))
    .map((name) => [`${name}${ending}`, pass(name, `conf/${name}.toml`)]);
  const withdrawn = 'conf/withdrawn.toml';
  return {
    ...Object.fromEntries(probes),
    [`tcp-route-probe, six targets${ending}`]: [
      ...pass('tcp-route-probe', 'routes'),
      ...['--state-dir', `${FOLDER}/routes-state`],
    ],
    // In turn: one puts the address there, the other finds the service dead.
    [`dns-probe that advertises${ending}`]: pass('dns-probe', withdrawn),
    [`dns-probe that withdraws${ending}`]: [
      'exit:2',
      ...pass('dns-probe', withdrawn),
      ...['--server', '127.0.0.9'],
    ],
    [`ha-status${ending}`]: [...start, path.join(EXECUTABLES, 'ha-status'), ...WITHOUT_ROUTE],
  };
}

/**
 * What is measured against one instance that has one address: all commands of a table in the same
 * rounds.
 *
 * @param {string} node
 * @returns {Readonly<Record<string, readonly string[]>>}
 */
export function crowdsOn(node) {
  const probe = [node, path.join(EXECUTABLES, 'dns-probe')];
  // Folders of their own, so that ha-status does not have to show them all.
  /** @param {string} name @param {string} config */
  const args = (name, config) => ['--state-dir', `${FOLDER}/${name}-state`, '--config', config];
  return {
    'one instance, one address': [...probe, ...args('one', `${FOLDER}/hundred/i0.toml`)],
    '100 instances': ['netns:hundred', ...probe, ...args('hundred', `${FOLDER}/hundred`)],
    'one instance, 1,000 addresses': [
      'netns:thousand',
      ...probe,
      ...args('thousand', `${FOLDER}/thousand`),
    ],
  };
}

const HOST = ['/usr/bin/host', '-W', '1', '-t', 'SOA', '.', '127.0.0.1'];

/** What a user would run otherwise. */
export const OTHERS = {
  'shell pass (host, ip, grep)': [path.join(HERE, 'shell-pass')],
  'host alone': HOST,
  check_dns: ['/usr/lib/nagios/plugins/check_dns', '-H', 'a.example', '-s', '127.0.0.1'],
};

/** The scripts that keepalived is measured with. */
export const TRACK_SCRIPTS = { 'a script that does nothing': [COMMAND], host: HOST };

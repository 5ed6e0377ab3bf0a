import { spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../../build/bundle.mjs';
import { withMarks } from './marks.mjs';
import { inNamespace } from './measure.mjs';

/** Files of the measurement, on the /run of its own. */
const FOLDER = '/run/bench';
const HERE = import.meta.dirname;

/** An empty program: the cost of Node alone. */
export const EMPTY = path.join(FOLDER, 'empty');

const EXECUTABLES = path.join(FOLDER, 'bin');

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
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
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
  for (const folder of ['', '/hundred', '/thousand', '/routes']) mkdirSync(FOLDER + folder);
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

/** The probes, each with what makes it manage something. A lease that is off is never renewed. */
const PASSES = {
  'dns-probe': ['-a', '192.0.2.1'],
  'syslog-probe': ['-a', '192.0.2.2'],
  'squid-probe': ['-a', '192.0.2.3'],
  'tcp-route-probe': ['near', '198.51.100.2', '80'],
  // A state of its own: ha-status shows one instance of each probe.
  'tcp-route-probe, six targets': [
    ...['--state-dir', `${FOLDER}/routes-state`],
    ...['--config', `${FOLDER}/routes`],
  ],
  'radius-probe': ['-a', '192.0.2.4', '--secret-file', `${FOLDER}/secret`],
  'exec-probe': ['-a', '192.0.2.5', '--', COMMAND],
};

/** The instances that have addresses. */
const WITHOUT_ROUTE = ['dns-probe', 'syslog-probe', 'squid-probe', 'radius-probe', 'exec-probe'];

/**
 * Makes copies of the executables and of the empty program that have marks in them.
 *
 * @param {string} file that each of their runs appends a line to
 */
export function markAll(file) {
  const folder = path.join(FOLDER, 'marked');
  mkdirSync(folder);
  for (const name of new Set([...Object.keys(PASSES).map(executableOf), 'ha-status'])) {
    const text = readFileSync(path.join(EXECUTABLES, name), 'utf8');
    writeFileSync(path.join(folder, name), withMarks(text, file));
  }
  const empty = path.join(folder, 'empty');
  writeFileSync(empty, withMarks('', file));
  return { folder, empty };
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
 * The commands to measure, by name.
 *
 * @param {string} node path of the Node to run them with
 * @param {string} [folder] of the executables
 * @returns {Readonly<Record<string, readonly string[]>>}
 */
export function passesOn(node, folder = EXECUTABLES) {
  const passes = Object.entries(PASSES).map(([name, args]) => [
    name,
    [node, path.join(folder, executableOf(name)), '--lease', 'off', ...args],
  ]);
  return {
    ...Object.fromEntries(passes),
    'ha-status': [node, path.join(folder, 'ha-status'), ...WITHOUT_ROUTE],
    // To see a route it starts an ip.
    'ha-status, a route too': [node, path.join(folder, 'ha-status')],
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

import { parseArgs } from 'node:util';
import { METHODS } from './checker.mjs';
import { DEFAULTS, Lab } from './lab.mjs';
import { playScenario, SCENARIOS } from './scenarios.mjs';
import { PROTOCOLS, SITES } from './sites.mjs';
import { NODES } from './topology.mjs';

const HELP = `Usage: scripts/lab up|down|status|run SCENARIO [OPTION...]

An OSPF, BGP or IS-IS network in network namespaces: a client, three routers in a row, and a service node with
Unbound at either end. Needs root, FRR, Unbound, and the executables built.

  up            bring it up, until both nodes are advertised
  down          end it without a trace
  status        what each part has and knows
  run SCENARIO  play a scenario in it, and print what the client saw as JSON:
                ${Object.keys(SCENARIOS).join(' ')}

  --name NAME      which lab: several can be up at once (default: lab)
For up:
  --protocol P     what the network speaks: ${PROTOCOLS.join(', ')} (default: ${DEFAULTS.protocol})
  --node-daemon D  what the nodes run: frr or bird, which speaks OSPF and BGP here (default: frr)
  --nodes CONF     how nodes and routers are configured, in place of --node-daemon:
${PROTOCOLS.map((it) => `                     ${it}: ${Object.keys(SITES[it]).join(', ')}`).join('\n')}
  --spf 'A B C'    SPF timers of OSPF routers, in ms (default: FRR's own, 0 50 5000)
  --node-spf       the nodes have the same SPF timers
  --method METHOD  what checks Unbound: ${METHODS.join(', ')} or none (default: ${DEFAULTS.method})
  --interval S     seconds between two passes (default: ${DEFAULTS.interval})
  --probe='OPT..'  more options for dns-probe
For run:
  --drain S        seconds (default: 5)
  --phase P        when the fault comes: 0 when a check begins, 1 when the next one does
                   (default: at random)
`;

/**
 * The configuration of nodes with a daemon, where nothing else is said.
 *
 * @type {Readonly<Record<string, string>>}
 */
const OF_DAEMON = { frr: DEFAULTS.nodes, bird: 'bird' };

/** @type {Readonly<Record<string, (operands: string[], options: Options) => Promise<void>>>} */
const COMMANDS = {
  up: async (_, { name, protocol, nodes, spf, method, interval, probe, ...more }) => {
    const known = [...METHODS, 'none'].find((it) => it === method);
    if (known === undefined) throw new Error(`there is no method '${method}'`);
    const spoken = PROTOCOLS.find((it) => it === protocol);
    if (spoken === undefined) throw new Error(`there is no protocol '${protocol}'`);
    const daemon = more['node-daemon'];
    if (!(daemon in OF_DAEMON)) throw new Error(`nodes do not run '${daemon}' here`);
    await Lab.up(name, {
      protocol: spoken,
      nodes: nodes ?? OF_DAEMON[daemon] ?? '',
      spf,
      nodeSpf: more['node-spf'],
      method: /** @type {import('./checker.mjs').Method | 'none'} */ (known),
      interval: Number(interval),
      probe: probe.split(' ').filter(Boolean),
    });
    console.log(`lab '${name}' is up`);
  },
  down: async (_, { name }) => {
    await new Lab(name).down();
  },
  status: async (_, { name }) => {
    const lab = Lab.open(name);
    console.log(JSON.stringify(lab.options));
    for (const role of NODES) {
      const { stdout } = await lab.checker[role].execute('ha-status', []);
      console.log(`${role}: ${(await lab.addressesOf(role)).join(' ') || 'no service address'}`);
      console.log(stdout);
    }
    for (const [role, { v4, v6 }] of Object.entries(await lab.ways())) {
      console.log(
        `${role}: IPv4 through ${v4.join(' ') || '-'}, IPv6 through ${v6.join(' ') || '-'}`,
      );
    }
  },
  run: async ([scenario = ''], { name, drain, phase }) => {
    const lab = Lab.open(name);
    const { method, interval, probe } = lab.options;
    if (method === 'none') throw new Error('nothing checks Unbound in this lab');
    const drainSeconds = Number(drain);
    const setting = {
      lab,
      method,
      interval,
      probe,
      drainSeconds,
      outSeconds: 2,
      phase: Number(phase),
    };
    console.log(JSON.stringify(await playScenario(scenario, setting)));
  },
  // For ha-suspend, in the scenario that restarts Unbound.
  'restart-resolver': async ([name = '', role = '']) => {
    const resolver = Lab.open(name).resolver[role === 'far' ? 'far' : 'near'];
    await resolver.stop();
    await resolver.start();
  },
};

/** @typedef {typeof values} Options */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    name: { type: 'string', default: 'lab' },
    protocol: { type: 'string', default: DEFAULTS.protocol },
    'node-daemon': { type: 'string', default: 'frr' },
    nodes: { type: 'string' },
    spf: { type: 'string', default: DEFAULTS.spf },
    method: { type: 'string', default: DEFAULTS.method },
    interval: { type: 'string', default: String(DEFAULTS.interval) },
    probe: { type: 'string', default: DEFAULTS.probe.join(' ') },
    'node-spf': { type: 'boolean', default: DEFAULTS.nodeSpf },
    drain: { type: 'string', default: '5' },
    phase: { type: 'string', default: String(Math.random()) },
    help: { type: 'boolean', default: false },
  },
});
const [command = '', ...operands] = positionals;
const action = COMMANDS[command];
if (values.help) {
  process.stdout.write(HELP);
} else if (action === undefined) {
  process.stderr.write(HELP);
  process.exitCode = 64;
} else {
  await action(operands, values).catch((/** @type {unknown} */ error) => {
    console.error(`lab: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  });
}

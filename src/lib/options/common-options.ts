import { flag, list, optional, value, type Option } from './option.ts';
import {
  directory,
  duration,
  file,
  instanceName,
  interfaceName,
  interfaceNameOrNone,
  leaseTime,
  oneOf,
  positiveDuration,
  serviceAddress,
  wholeNumber,
} from './value-parsers.ts';

const ADDRESS = 'Service address';
const ROUTE = 'Route';
const DECISION = 'Decision';
const STATE = 'State';
const OUTPUT = 'Output';
const GENERAL = 'General';

/** What every executable understands. Where the state is, and how much is said. */
export const generalOptions = {
  'state-dir': value(directory, {
    group: STATE,
    default: '/run/anycast-ha',
    describe: 'Folder for state, locks, claims and suspensions. Owned by root, lost at reboot.',
  }),
  'persist-dir': value(directory, {
    group: STATE,
    default: '/var/lib/anycast-ha',
    describe: 'Folder for suspensions that survive a reboot.',
  }),
  'lock-wait': value(duration, {
    group: STATE,
    default: '2s',
    describe: 'How long to wait for another pass that holds the lock.',
  }),
  json: flag({
    group: OUTPUT,
    configurable: false,
    describe: 'Print the outcome as one line of JSON per instance.',
  }),
  quiet: flag({
    group: OUTPUT,
    alias: 'q',
    configurable: false,
    describe: 'Print errors only.',
  }),
  verbose: flag({
    group: OUTPUT,
    alias: 'v',
    configurable: false,
    describe: 'Print every step.',
  }),
  completion: optional(oneOf('bash', 'zsh'), {
    group: GENERAL,
    configurable: false,
    describe: 'Print the completion script for a shell and exit.',
  }),
  help: flag({ group: GENERAL, configurable: false, describe: 'Print this text and exit.' }),
  version: flag({ group: GENERAL, configurable: false, describe: 'Print the version and exit.' }),
} as const;

/** How health follows from verdicts; every probe has these. */
const decisionOptions = {
  rise: value(wholeNumber(1, 1000), {
    group: DECISION,
    default: '2',
    describe: 'Successful passes in a row that it takes to advertise.',
  }),
  fall: value(wholeNumber(1, 1000), {
    group: DECISION,
    default: '2',
    describe: 'Failed passes in a row that it takes to withdraw.',
  }),
  'hold-down': value(duration, {
    group: DECISION,
    default: '0s',
    describe: 'How long to stay withdrawn at least; doubles with each flap.',
  }),
  'hold-down-max': value(duration, {
    group: DECISION,
    default: '5m',
    describe: 'The longest hold-down, and the quiet time after which flaps are forgotten.',
  }),
  timeout: value(positiveDuration, {
    group: DECISION,
    default: '1s',
    describe: 'Limit of one attempt.',
  }),
  attempts: value(wholeNumber(1, 100), {
    group: DECISION,
    default: '2',
    describe: 'Attempts within a pass; the first success ends it.',
  }),
  'retry-delay': value(duration, {
    group: DECISION,
    default: '200ms',
    describe: 'Pause between two attempts.',
  }),
} as const;

/** What every probe has, whatever it manages. */
const passOptions = {
  ...decisionOptions,
  config: list(file, {
    group: GENERAL,
    configurable: false,
    metavar: 'FILE|DIR',
    describe: 'TOML file with these options, or a folder of *.toml: an instance each. Repeatable.',
  }),
  once: flag({
    group: GENERAL,
    configurable: false,
    describe: 'Exactly one pass: none more while another instance, or --on-change, takes long.',
  }),
  'on-change': optional(file, {
    group: OUTPUT,
    metavar: 'PROGRAM',
    describe: 'Run after a transition with three arguments: instance, up or down, reason.',
  }),
  'metrics-dir': optional(directory, {
    group: OUTPUT,
    describe: "Folder for metrics, as node_exporter's textfile collector reads them.",
  }),
  ...generalOptions,
} as const;

const INSTANCE = {
  group: STATE,
  alias: 'i',
  describe: 'Name of the instance: its lock and state are its own.',
} as const;

function dryRun(group: string): Option<boolean> {
  return flag({
    group,
    alias: 'n',
    configurable: false,
    describe: 'Probe and print what would change; change nothing.',
  });
}

/** The options of every probe that manages addresses on an interface. */
export const addressProbeOptions = {
  address: list(serviceAddress, {
    group: ADDRESS,
    alias: 'a',
    describe: 'Service address to manage. Repeatable. Without it the probe only checks.',
  }),
  interface: value(interfaceName, {
    group: ADDRESS,
    default: 'lo',
    describe: 'Interface that gets the addresses.',
  }),
  lease: value(leaseTime, {
    group: ADDRESS,
    default: '5m',
    describe:
      'How long the kernel keeps an address that no successful pass renews: whole seconds, at least 2s, or off.',
  }),
  drain: value(duration, {
    group: ADDRESS,
    default: '10s',
    describe: 'How long to answer on after a planned withdrawal; at most 30s.',
  }),
  'drain-interface': value(interfaceNameOrNone, {
    group: ADDRESS,
    default: 'ha-drain',
    describe:
      "Interface that has an address for the first half of its drain. '' for none: where whatever is connected is announced.",
  }),
  withdraw: flag({
    group: ADDRESS,
    configurable: false,
    describe: 'Do not probe: take the addresses out, with drain, and forget the instance.',
  }),
  'dry-run': dryRun(ADDRESS),
  instance: optional(instanceName, {
    ...INSTANCE,
    defaultNote: "the configuration file's basename, else the program's name",
  }),
  ...passOptions,
} as const;

/** The options of the probe that manages a route, besides those that say which. */
export const routeProbeOptions = {
  lease: value(leaseTime, {
    group: ROUTE,
    default: '5m',
    describe:
      'How long a route may stay that no successful pass renews: whole seconds, at least 2s, or off.',
  }),
  drain: value(duration, {
    group: ROUTE,
    default: '10s',
    describe: 'Has no effect: nothing on this node could answer on. Every probe takes it.',
  }),
  'drain-interface': value(interfaceNameOrNone, {
    group: ROUTE,
    default: 'ha-drain',
    describe: 'Has no effect either.',
  }),
  withdraw: flag({
    group: ROUTE,
    configurable: false,
    describe: 'Do not probe: take the route out, and forget the instance.',
  }),
  'dry-run': dryRun(ROUTE),
  instance: optional(instanceName, {
    ...INSTANCE,
    defaultNote: "the configuration file's basename, else the program's name and the address",
  }),
  ...passOptions,
} as const;

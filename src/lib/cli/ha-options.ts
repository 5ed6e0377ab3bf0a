import { generalOptions } from '../options/common-options.ts';
import { flag, list, optional, value, type ValueParser } from '../options/option.ts';
import {
  directory,
  drainTime,
  instanceName,
  positiveDuration,
  text,
} from '../options/value-parsers.ts';

const WHICH = 'Which';
const HOW = 'How';

const all = flag({
  group: WHICH,
  configurable: false,
  describe: 'All instances that run on this node.',
});

/** The options of ha-suspend. */
export const suspendOptions = {
  all,
  reason: value(text, {
    group: HOW,
    default: 'maintenance',
    configurable: false,
    describe: 'Why, for ha-status and the log.',
  }),
  for: optional(positiveDuration, {
    group: HOW,
    configurable: false,
    describe: 'How long at most: the suspension ends by itself.',
    defaultNote: 'until it is resumed',
  }),
  by: value(instanceName, {
    group: HOW,
    default: 'manual',
    metavar: 'HOLDER',
    configurable: false,
    describe: 'Name of the suspension: each is ended by its own name.',
  }),
  'across-reboot': flag({
    group: HOW,
    configurable: false,
    describe: 'Stay suspended when the node reboots.',
  }),
  drain: optional(drainTime, {
    group: HOW,
    configurable: false,
    describe: 'How long to answer on after the withdrawal; at most 30s.',
    defaultNote: "the instance's own, or 10s",
  }),
  replace: flag({
    group: HOW,
    configurable: false,
    describe: 'Take the place of what somebody else suspends under that name.',
  }),
  wait: optional(positiveDuration, {
    group: HOW,
    configurable: false,
    describe: 'With a command: wait until it is advertised again; exit 1 when it is not by then.',
    defaultNote: 'return at once',
  }),
  'keep-on-failure': flag({
    group: HOW,
    configurable: false,
    describe: 'Stay suspended when the command fails.',
  }),
  ...generalOptions,
} as const;

/** The options of ha-resume. */
export const resumeOptions = {
  all,
  by: value(instanceName, {
    group: HOW,
    default: 'manual',
    metavar: 'HOLDER',
    configurable: false,
    describe: 'Whose suspension ends.',
  }),
  everyone: flag({
    group: HOW,
    configurable: false,
    describe: 'End the suspensions of all holders.',
  }),
  wait: optional(positiveDuration, {
    group: HOW,
    configurable: false,
    describe: 'Wait until it is advertised again; exit 1 when it is not by then.',
    defaultNote: 'return at once',
  }),
  ...generalOptions,
} as const;

/** A unit as systemctl(1) takes it: without a suffix it is a service. */
const serviceUnit: ValueParser<string> = Object.assign(
  (given: string) => {
    const name = /\.[a-z]+$/.test(given) ? given : `${given}.service`;
    if (
      !/^[A-Za-z0-9:_.\\-][A-Za-z0-9:_.@\\-]{0,250}\.service$/.test(name) ||
      name.includes('@.')
    ) {
      throw new RangeError(`'${given}' is no unit of a service`);
    }
    return name;
  },
  { metavar: 'UNIT' },
);

/** The options of ha-guard. */
export const guardOptions = {
  unit: list(serviceUnit, {
    group: WHICH,
    configurable: false,
    describe: 'Unit of the service that the instance asks. Repeatable.',
  }),
  all: flag({
    group: WHICH,
    configurable: false,
    describe: 'With --remove: all instances that are tied to a unit.',
  }),
  'config-dir': value(directory, {
    group: WHICH,
    default: '/etc/anycast-ha',
    describe: 'Folder of configurations: an instance may be tied before its first pass.',
  }),
  remove: flag({
    group: HOW,
    configurable: false,
    describe: 'Take the ties of the instance away, or those to --unit alone.',
  }),
  list: flag({
    group: HOW,
    configurable: false,
    describe: 'Show which units take which instances along, and what is wrong with that.',
  }),
  'dry-run': flag({
    group: HOW,
    alias: 'n',
    configurable: false,
    describe: 'Print what would be written and removed, and change nothing.',
  }),
  ...generalOptions,
} as const;

/** The options of ha-status. */
export const statusOptions = {
  'config-dir': value(directory, {
    group: WHICH,
    default: '/etc/anycast-ha',
    describe: 'Folder of configurations: those whose passes leave no state are shown, too.',
  }),
  watch: flag({
    group: HOW,
    configurable: false,
    describe: 'Show it anew every second, until interrupted.',
  }),
  plugin: flag({
    group: HOW,
    configurable: false,
    describe: 'Print one line and exit as a monitoring plugin does: 0, 1, 2 or 3.',
  }),
  ...generalOptions,
} as const;

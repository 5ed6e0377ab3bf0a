import type { HelpSubject } from '../../src/lib/cli/help.ts';
import { flag, list, optional, value } from '../../src/lib/options/option.ts';
import {
  directory,
  duration,
  file,
  instanceName,
  interfaceName,
  ipAddress,
  oneOf,
  someOf,
} from '../../src/lib/options/value-parsers.ts';

/** A program with an option of every kind. */
export const exampleSubject = {
  name: 'sample-probe',
  summary: 'Asks a sample daemon whether it works.',
  synopsis: '',
  table: {
    mode: value(oneOf('status', 'auth'), { describe: 'what to ask', default: 'status' }),
    'require-flag': optional(someOf('ra', 'ad', 'aa'), {
      describe: "header flags that an answer must have; the resolver's own are enough",
    }),
    help: flag({ describe: 'show this help and exit', group: 'General', configurable: false }),
    completion: optional(oneOf('bash', 'zsh'), {
      describe: 'print a completion script and exit',
      group: 'General',
    }),
    address: list(ipAddress, {
      describe: 'service address to advertise while the service is up',
      group: 'Service address',
      alias: 'a',
    }),
    interface: value(interfaceName, {
      describe: 'interface that carries it',
      group: 'Service address',
      default: 'lo',
    }),
    'secret-file': optional(file, { describe: 'file with the secret: nobody else may read it' }),
    'state-dir': value(directory, {
      describe: 'folder of the state',
      group: 'State',
      default: '/run/anycast-ha',
    }),
    instance: optional(instanceName, {
      describe: 'name [of the instance]',
      group: 'State',
      alias: 'i',
      defaultNote: "the configuration file's name",
    }),
    timeout: value(duration, { describe: 'longest wait for an answer', default: '1s' }),
  },
  examples: [
    { command: 'sample-probe -v', meaning: 'ask once, and say what happens' },
    { command: 'sample-probe -a 192.0.2.1', meaning: 'advertise 192.0.2.1 while it answers' },
  ],
} satisfies HelpSubject;

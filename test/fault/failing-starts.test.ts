import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Figures, full } from '../support/fault-figures.ts';
import { badManners } from '../support/fault-manners.ts';
import { ADDRESS, FaultNode } from '../support/fault-node.ts';

const TIMEOUT_MS = full ? 900_000 : 120_000;

/** The calls that make a child, with the errors that mean a lack of something. */
const LACKS: Readonly<Record<string, readonly string[]>> = {
  socketpair: ['EMFILE', 'ENFILE', 'ENOMEM'],
  pipe2: ['ENFILE', 'EMFILE'],
  vfork: ['EAGAIN', 'ENOMEM'],
  clone: ['EAGAIN', 'ENOMEM'],
};

let node: FaultNode;
beforeEach(async () => {
  node = await FaultNode.create();
});
afterEach(async () => {
  await node.dispose();
});

/** A run in which the program starts a child. */
interface Parent {
  readonly what: string;
  readonly program: string;
  readonly args: () => readonly string[];
  /** Brings the node to where it starts one. */
  readonly prepare: () => Promise<unknown>;
  readonly ends: readonly number[];
}

const script = (text: string): string => {
  const file = path.join(node.folder, 'script');
  writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return file;
};
const managed = (...args: readonly string[]): readonly string[] => [
  ...node.folderArgs(),
  ...['-a', ADDRESS, '--rise', '1', '--fall', '1', '--attempts', '1'],
  ...args,
];
const exec = (text: string): readonly string[] => managed('-i', 'x', '--', script(text));
const route = (): readonly string[] => [
  ...node.folderArgs(),
  '--timeout',
  '100ms',
  'lo',
  ADDRESS,
  '9',
];
const syslog = (): readonly string[] =>
  managed('--timeout', '100ms', '--send', 'unix:/dev/log', '--listen', 'udp://127.0.0.1:5515');

const parents: readonly Parent[] = [
  {
    what: 'ip of a pass that withdraws',
    program: 'dns-probe',
    args: () => node.passArgs('fails'),
    prepare: () => node.pass('works'),
    ends: [71],
  },
  {
    what: 'the program of --on-change',
    program: 'exec-probe',
    args: () => [
      ...exec('exit 1').slice(0, -2),
      '--on-change',
      '/bin/true',
      ...exec('exit 1').slice(-2),
    ],
    prepare: () => node.run('exec-probe', exec('exit 0')),
    // The check, ip, or the program of the user's: each is a child.
    ends: [2, 69, 71],
  },
  {
    what: 'the command of exec-probe',
    program: 'exec-probe',
    args: () => exec('exit 0'),
    prepare: () => node.run('exec-probe', exec('exit 0')),
    ends: [69],
  },
  {
    what: 'the ip with which tcp-route-probe reads',
    program: 'tcp-route-probe',
    args: route,
    prepare: () => node.run('tcp-route-probe', route()),
    ends: [71],
  },
  {
    what: 'the logger of syslog-probe',
    program: 'syslog-probe',
    args: syslog,
    prepare: () => node.run('syslog-probe', syslog()),
    ends: [69],
  },
  {
    what: 'ip of ha-suspend',
    program: 'ha-suspend',
    args: () => [...node.folderArgs(), 'dns-probe', '--drain', '0s'],
    prepare: async () => {
      await node.run('ha-resume', [...node.folderArgs(), 'dns-probe']);
      await node.pass('works');
    },
    // The last child of all writes to the system's log, which may be missing.
    ends: [0, 71],
  },
  {
    what: 'the command of ha-suspend',
    program: 'ha-suspend',
    args: () => [...node.folderArgs(), 'dns-probe', '--drain', '0s', '--', '/bin/true'],
    prepare: () => node.pass('fails'),
    ends: [0, 126],
  },
];

describe('a child that cannot be made', { timeout: TIMEOUT_MS }, () => {
  test.each(parents)('$what: it is said, and nothing is lost', async (parent) => {
    const figures = new Figures(`failing starts: ${parent.what}`);
    const { program, args, prepare, ends } = parent;
    await node.lead(parent.what, prepare);
    const calls = await node.trace(program, args());
    const faults = calls.flatMap(({ name, occurrence }) =>
      (LACKS[name] ?? []).map((error) => `${name}:error=${error}:when=${occurrence}`),
    );
    // Of each call the last, with its first error.
    const some = Object.entries(LACKS).flatMap(([call, [error]]) => {
      return faults.findLast((fault) => fault.startsWith(`${call}:error=${error ?? ''}:`)) ?? [];
    });
    for (const fault of full ? faults : some) {
      await node.lead(parent.what, prepare);
      const run = await node.inject(program, args(), fault);
      const violate = (message: string): void => {
        figures.violate(`${fault}: ${message}: ${run.stderr.trim()}`);
      };
      if (run.hits.length > 0) figures.injected += 1;
      figures.count(`exit ${run.exitCode ?? run.signal}`);
      for (const bad of badManners(run, program, ends)) violate(bad);
      if (!ends.includes(run.exitCode ?? -1)) violate(`exit ${run.exitCode}`);
      for (const remains of node.remains()) violate(remains);
    }
    expect(figures.publish().violations).toEqual([]);
    expect(figures.injected).toBeGreaterThan(1);
  });
});

import { drainInterfaces } from '../advertise/drain-interface.ts';
import { ipBatch } from '../advertise/ip-batch.ts';
import { interfaceLister } from '../advertise/kernel-addresses.ts';
import { routeReader } from '../advertise/kernel-routes.ts';
import { generalOptions } from '../options/common-options.ts';
import { configurationFiles, configurationSource } from '../options/config-file.ts';
import type { OptionTable } from '../options/option.ts';
import type { Arguments, Operands } from '../options/parse-arguments.ts';
import {
  argumentSource,
  environmentSource,
  resolveOptions,
  type Source,
} from '../options/resolve-options.ts';
import { sweepLeftovers, adoptRoutes, sweepRoutes } from '../pass/sweep.ts';
import type { ProbeProgram } from '../probe/probe-program.ts';
import { systemClock } from '../system/clock.ts';
import { runCommand } from '../system/command.ts';
import { ConfigurationError, ReportedError, UsageError } from '../system/errors.ts';
import { worstExitStatus } from '../system/exit-status.ts';
import {
  fullTable,
  loadInstance,
  type InstanceSources,
  type KernelAccess,
  type LoadedInstance,
} from './load-instance.ts';
import type { Output } from './output.ts';
import { runInstances } from './run-instances.ts';
import { runMain } from './run-main.ts';

/** How long a change may wait for changes of other instances of the same process. */
const BATCH_WINDOW_MS = 20;

/** Runs a probe executable: one pass of each of its instances, then the process ends. */
export function runProbeProgram<Table extends OptionTable, ProbeOptions>(
  program: ProbeProgram<Table, ProbeOptions>,
): Promise<never> {
  const subject = { ...program, table: fullTable(program), synopsis: program.synopsis ?? '' };
  return runMain(subject, async (args, output) => {
    const ownUid = process.geteuid?.() ?? 0;
    const { instances, failures } = loadAll(program, args, ownUid, output);
    const { json, quiet } = resolveOptions(generalOptions, [argumentSource(args.texts)]);
    const show = { name: program.name, ownUid, json, quiet };
    await sweep(instances, ownUid, output);
    const statuses = await runInstances(instances, output, show);
    return worstExitStatus([...failures, ...statuses]);
  });
}

interface Loading {
  readonly instances: readonly LoadedInstance[];
  /** The exit statuses of the instances that could not be loaded. */
  readonly failures: readonly number[];
}

function loadAll<Table extends OptionTable, ProbeOptions>(
  program: ProbeProgram<Table, ProbeOptions>,
  args: Arguments,
  ownUid: number,
  output: Output,
): Loading {
  const table = fullTable(program);
  const outer = [argumentSource(args.texts), environmentSource(process.env, table)];
  const { operands } = args;
  if (program.synopsis === undefined) refuseOperands(operands);
  const given = args.texts.get('config') ?? [];
  if (given.length === 0) {
    const from = { path: null, sources: outer, operands };
    return { instances: [loadInstance(program, from, kernelAccess(0))], failures: [] };
  }
  const paths = configurationFiles(given);
  if (paths.length > 1) refuseForMany(outer);
  const kernel = kernelAccess(paths.length > 1 ? BATCH_WINDOW_MS : 0);
  const instances = new Map<string, LoadedInstance>();
  const failures: number[] = [];
  for (const path of paths) {
    try {
      const sources = [...outer, configurationSource(path, table, ownUid)];
      const from: InstanceSources = { path, sources, operands };
      const loaded = loadInstance(program, from, kernel);
      const name = loaded.options.instance;
      const twin = instances.get(name)?.options.source;
      if (twin !== undefined) {
        throw new ConfigurationError(`${path}: instance '${name}' is ${twin ?? 'there'} already`);
      }
      instances.set(name, loaded);
    } catch (error) {
      // One broken configuration stops none of the others; a broken command line stops all.
      if (!(error instanceof ReportedError) || error instanceof UsageError) throw error;
      output.error(error.message);
      failures.push(error.exitStatus);
    }
  }
  return { instances: [...instances.values()], failures };
}

function kernelAccess(windowMs: number): KernelAccess {
  return {
    batch: ipBatch(runCommand, windowMs),
    listInterfaces: interfaceLister(),
    readRoutes: routeReader(runCommand, windowMs),
    drainInterfaces: drainInterfaces(runCommand),
  };
}

/** Routes whose leases ran out are removed by whoever comes by, before anything else is looked at. */
async function sweep(
  instances: readonly LoadedInstance[],
  ownUid: number,
  output: Output,
): Promise<void> {
  const ports = { clock: systemClock, log: output, run: runCommand, ownUid };
  const managing = instances.filter(
    ({ options }) => options.places.length > 0 && options.mode !== 'dry-run',
  );
  for (const stateDir of new Set(managing.map(({ options }) => options.stateDir))) {
    await sweepRoutes(stateDir, ports);
    await sweepLeftovers(stateDir, ports);
    const route = managing.find(
      ({ options, advertiser }) => options.stateDir === stateDir && advertiser.kind === 'route',
    );
    if (route?.options.leaseMs !== undefined) {
      await adoptRoutes(stateDir, route.options.leaseMs, ports);
    }
  }
}

/** An address without its -a must not pass for a mere check. */
function refuseOperands({ positional, rest }: Operands): void {
  const [stray] = [...positional, ...rest];
  if (stray !== undefined) throw new UsageError(`unexpected argument '${stray}'`);
}

/** Options that cannot be the same for several instances. */
function refuseForMany(sources: readonly Source[]): void {
  for (const name of ['address', 'instance']) {
    const source = sources.find(({ texts }) => texts.has(name));
    if (source === undefined) continue;
    throw new UsageError(`${source.label(name)}: cannot be given for several configurations`);
  }
}

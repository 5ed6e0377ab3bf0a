import { addressAdvertiser } from '../advertise/address-advertiser.ts';
import type { Advertiser } from '../advertise/advertiser.ts';
import type { DrainInterface } from '../advertise/drain-interface.ts';
import type { IpBatch } from '../advertise/ip-batch.ts';
import { localAddresses, type InterfaceLister } from '../advertise/kernel-addresses.ts';
import type { RouteReader } from '../advertise/kernel-routes.ts';
import { routeAdvertiser } from '../advertise/route-advertiser.ts';
import { addressProbeOptions, routeProbeOptions } from '../options/common-options.ts';
import { instanceOfFile } from '../options/config-file.ts';
import type { OptionTable, Values } from '../options/option.ts';
import type { Operands } from '../options/parse-arguments.ts';
import { resolveOptions, type Source } from '../options/resolve-options.ts';
import { isName, LONGEST_DRAIN_MS } from '../options/value-parsers.ts';
import type { Advice, PassOptions, AttemptContext } from '../pass/ports.ts';
import type { ProbeProgram, HostRoute } from '../probe/probe-program.ts';
import { unknown, type Verdict } from '../probe/probe.ts';
import type { ServiceAddress } from '../state/instance-state.ts';
import { routeLeasesIn } from '../state/route-leases.ts';
import { systemClock } from '../system/clock.ts';
import { runCommand } from '../system/command.ts';
import { formatDuration } from '../system/duration.ts';
import { ConfigurationError, UsageError } from '../system/errors.ts';
import { isLoopback, type IpAddress } from '../system/ip-address.ts';
import { isLostOnLoopback } from '../system/loopback.ts';

/** An instance that is ready to run. */
export interface LoadedInstance {
  readonly options: PassOptions;
  readonly advertiser: Advertiser;
  readonly probe: (context: AttemptContext) => Promise<Verdict>;
  readonly onChange: string | undefined;
  readonly metricsDir: string | undefined;
  /** Exactly one pass, however long others take. */
  readonly once: boolean;
}

/** Where an instance comes from. */
export interface InstanceSources {
  /** The configuration file, or null for an instance that runs from flags. */
  readonly path: string | null;
  /** Flags, environment, and the file if there is one; the first that names an option wins. */
  readonly sources: readonly Source[];
  readonly operands: Operands;
}

/** How the instances of a process reach the kernel, so that they share processes. */
export interface KernelAccess {
  readonly batch: IpBatch;
  readonly listInterfaces: InterfaceLister;
  readonly readRoutes: RouteReader;
  readonly drainInterfaces: (name: string) => DrainInterface;
}

/** The options of a program: its own, and those that every probe of its kind has. */
export function fullTable<Table extends OptionTable, ProbeOptions>(
  program: ProbeProgram<Table, ProbeOptions>,
): OptionTable {
  const common = program.manages === 'route' ? routeProbeOptions : addressProbeOptions;
  return { ...program.table, ...common };
}

/**
 * Makes an instance of what its sources say.
 *
 * @throws UsageError or ConfigurationError, which names the flag or the key
 */
export function loadInstance<Table extends OptionTable, ProbeOptions>(
  program: ProbeProgram<Table, ProbeOptions>,
  from: InstanceSources,
  kernel: KernelAccess,
): LoadedInstance {
  const own = resolveOptions(program.table, from.sources);
  const prepared = needsProbe(program, from.sources)
    ? inFile(from.path, () => program.prepare(own, from.operands))
    : undefined;
  const route = prepared?.route;
  const { values, places } = resolveManaged(route, from.sources);
  const instance = values.instance ?? defaultInstance(program.name, from.path, route);
  const advice = inFile(from.path, () => {
    checkDecision(values);
    return [
      ...longDrain(values),
      ...(prepared?.advice ?? []),
      ...checkTargets(prepared?.targets ?? [], places),
    ];
  });
  return {
    options: passOptions(values, {
      ...{ instance, source: from.path, places, advice },
      // A route is not drained: nothing on this node could answer on.
      drainInterface: route === undefined ? values['drain-interface'] : undefined,
    }),
    advertiser: advertiserOf(route, values, kernel),
    probe: async (context) =>
      prepared === undefined
        ? unknown('overrun', 'a withdrawal does not probe')
        : withoutLoopback(
            await program.probe(prepared.options, { ...context, instance }),
            prepared.targets,
          ),
    onChange: values['on-change'],
    metricsDir: values['metrics-dir'],
    once: values.once,
  };
}

/** With lo down the kernel drops packets to this node without a word: no silence of the service's. */
function withoutLoopback(verdict: Verdict, targets: readonly IpAddress[]): Verdict {
  if (verdict.status !== 'down' || verdict.reason !== 'timeout') return verdict;
  if (!targets.some(isLostOnLoopback)) return verdict;
  return unknown('no-interface', `the loopback interface is down (${verdict.detail})`);
}

/**
 * Whether the probe's own options matter: who takes an instance out in a hurry need not name the
 * secret or the command it probes with. A route is known from nothing but those options.
 */
function needsProbe<Table extends OptionTable, ProbeOptions>(
  program: ProbeProgram<Table, ProbeOptions>,
  sources: readonly Source[],
): boolean {
  const { withdraw } = routeProbeOptions;
  return program.manages === 'route' || !resolveOptions({ withdraw }, sources).withdraw;
}

type CommonValues = Values<typeof routeProbeOptions>;

/** What every probe has, and the places that it manages. */
function resolveManaged(
  route: HostRoute | undefined,
  sources: readonly Source[],
): { readonly values: CommonValues; readonly places: readonly ServiceAddress[] } {
  if (route !== undefined) {
    const place = { address: route.address.text, interface: route.interface };
    return { values: resolveOptions(routeProbeOptions, sources), places: [place] };
  }
  const values = resolveOptions(addressProbeOptions, sources);
  if (values.interface === values['drain-interface']) {
    throw new UsageError(`--drain-interface: '${values.interface}' is where the addresses are`);
  }
  const places = values.address.map(({ text }) => ({ address: text, interface: values.interface }));
  return { values, places };
}

function advertiserOf(
  route: HostRoute | undefined,
  values: CommonValues,
  { batch, listInterfaces, readRoutes, drainInterfaces }: KernelAccess,
): Advertiser {
  if (route === undefined) {
    const name = values['drain-interface'];
    const drain = name === undefined ? undefined : drainInterfaces(name);
    return addressAdvertiser(runCommand, batch, listInterfaces, drain);
  }
  const leases = routeLeasesIn(values['state-dir'], systemClock);
  return routeAdvertiser(route.options, { read: readRoutes, batch, leases });
}

function defaultInstance(
  program: string,
  path: string | null,
  route: HostRoute | undefined,
): string {
  const ownName = route === undefined ? program : `${program}-${route.address.text}`;
  const name = path === null ? ownName : instanceOfFile(path);
  if (isName(name)) return name;
  throw new ConfigurationError(
    `${path ?? name}: '${name}' is no instance name (letters, digits and . _ : -): rename the file, or set instance`,
  );
}

function passOptions(
  values: CommonValues,
  rest: Pick<PassOptions, 'instance' | 'source' | 'places' | 'advice' | 'drainInterface'>,
): PassOptions {
  return {
    ...rest,
    places: unique(rest.places),
    mode: values.withdraw ? 'withdraw' : values['dry-run'] ? 'dry-run' : 'pass',
    rise: values.rise,
    fall: values.fall,
    holdDownMs: values['hold-down'],
    holdDownMaxMs: values['hold-down-max'],
    timeoutMs: values.timeout,
    attempts: values.attempts,
    retryDelayMs: values['retry-delay'],
    leaseMs: values.lease,
    drainMs: Math.min(values.drain, LONGEST_DRAIN_MS),
    stateDir: values['state-dir'],
    persistDir: values['persist-dir'],
    lockWaitMs: values['lock-wait'],
  };
}

function unique(places: readonly ServiceAddress[]): readonly ServiceAddress[] {
  return [...new Map(places.map((place) => [place.address, place])).values()];
}

function checkDecision(values: CommonValues): void {
  if (values['hold-down'] > values['hold-down-max']) {
    throw new UsageError('--hold-down: is longer than --hold-down-max');
  }
  if (values.withdraw && values['dry-run']) {
    throw new UsageError('--withdraw: cannot be combined with --dry-run');
  }
}

/** Not refused, for a configuration that worked with an older version has to go on working. */
function longDrain(values: CommonValues): readonly Advice[] {
  if (values.drain <= LONGEST_DRAIN_MS) return [];
  const message = `--drain ${formatDuration(values.drain)} is taken for ${formatDuration(LONGEST_DRAIN_MS)}: the shutdown waits no longer`;
  return [{ key: 'long-drain', message }];
}

/**
 * Once a service address is withdrawn, a question to it travels to a neighbour and is answered
 * there: a probe must never ask one.
 */
function checkTargets(
  targets: readonly IpAddress[],
  places: readonly ServiceAddress[],
): readonly Advice[] {
  const own = new Set(places.map(({ address }) => address));
  const asked = targets.find(({ text }) => own.has(text));
  if (asked !== undefined) {
    throw new UsageError(
      `the probe must not ask ${asked.text}: it is a service address, which another node answers while it is withdrawn here`,
    );
  }
  if (places.length === 0) return [];
  const foreign = targets.filter(
    (target) => !isLoopback(target) && !localAddresses().has(target.text),
  );
  return foreign.map(({ text }) => ({
    key: `foreign-target ${text}`,
    message: `${text} is no address of this node: what it answers says nothing of the service here`,
  }));
}

/** A mistake that a file holds is one of the configuration, whatever words it came in. */
function inFile<T>(path: string | null, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (path === null || !(error instanceof UsageError)) throw error;
    throw new ConfigurationError(`${path}: ${error.message}`, { cause: error });
  }
}

import type { Probe } from './probe.ts';
import type { IpAddress } from '../system/ip-address.ts';
import type { RouteOptions } from '../advertise/route-advertiser.ts';
import type { OptionTable, Values } from '../options/option.ts';
import type { Operands } from '../options/parse-arguments.ts';

/** What an entry in src/bin declares of a probe executable. */
export interface ProbeProgram<Table extends OptionTable, ProbeOptions> {
  readonly name: string;
  /** One line: what it does. */
  readonly summary: string;
  /** Its own options; those every probe has are added. */
  readonly table: Table;
  /** Two or more command lines with what each does. */
  readonly examples: readonly Example[];
  /** Positional arguments it takes, as the synopsis shows them. */
  readonly synopsis?: string;
  /**
   * Makes the probe's options of the flags' values. Throws UsageError or ConfigurationError.
   *
   * @param operands positional arguments, then those behind `--`
   */
  readonly prepare: (values: Values<Table>, operands: Operands) => Prepared<ProbeOptions>;
  readonly probe: Probe<ProbeOptions>;
  /** What its advertisement is: addresses on an interface unless it says otherwise. */
  readonly manages?: 'route';
}

/** A host route to an address, through an interface. */
export interface HostRoute {
  readonly address: IpAddress;
  readonly interface: string;
  readonly options: RouteOptions;
}

export interface Example {
  readonly command: string;
  readonly meaning: string;
}

/** Something doubtful, and the name by which it is remembered as told. */
export interface Advice {
  readonly key: string;
  readonly message: string;
}

export interface Prepared<ProbeOptions> {
  readonly options: ProbeOptions;
  /** The addresses it will ask: none may be a service address, and all should be local. */
  readonly targets: readonly IpAddress[];
  /** What is doubtful about the options; told once. */
  readonly advice?: readonly Advice[];
  /** The route it manages, for a program that manages a route in place of addresses. */
  readonly route?: HostRoute;
}

import * as v from 'valibot';
import type { Moment } from '../system/clock.ts';

/**
 * What an instance remembers from pass to pass. All `…Ms` moments are milliseconds since boot
 * (CLOCK_BOOTTIME); the boot they belong to is `bootId`. The file is readable by everybody and
 * holds no secret.
 */
const bootMoment = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const span = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(2 ** 40));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const shortText = v.pipe(v.string(), v.maxLength(1024));
const address = v.pipe(v.string(), v.regex(/^[0-9a-f.:]{2,45}$/));

/** Hysteresis and hold-down: the part that `decide` works on. */
const Health = v.object({
  status: v.picklist(['up', 'down']),
  /** Successes in a row, counted up to `rise`. */
  successes: count,
  /** Failures in a row, counted up to `fall`. */
  failures: count,
  changedAtMs: bootMoment,
  /** How often it went down since the last quiet period. */
  flaps: count,
  /** Before this moment it does not go up. */
  holdUntilMs: bootMoment,
});

/** One service address, where it belongs. */
const ServiceAddress = v.object({ address, interface: v.pipe(v.string(), v.maxLength(64)) });

const InstanceState = v.object({
  version: v.literal(1),
  instance: shortText,
  bootId: shortText,
  /** The configuration file that the instance runs from, or null when it runs from flags. */
  source: v.nullable(v.pipe(v.string(), v.maxLength(4096))),
  /** What it keeps in the kernel: addresses on an interface, or host routes through one. */
  kind: v.picklist(['address', 'route']),
  places: v.array(ServiceAddress),
  health: Health,
  /** Whether the last decision was to advertise. */
  advertising: v.boolean(),
  advertisingChangedAtMs: bootMoment,
  transitions: count,
  /** When the kernel's lifetimes were set last; null while nothing is advertised. */
  leaseFromMs: v.nullable(bootMoment),
  /** Whether IPv6 addresses were put in with their prefix route: 0.1.0 left that out. */
  prefixRoutes: v.optional(v.boolean(), false),
  /** null: the lease is off. */
  leaseMs: v.nullable(span),
  lastPass: v.nullable(
    v.object({
      atMs: bootMoment,
      wallMs: v.pipe(v.number(), v.safeInteger()),
      status: v.picklist(['up', 'down', 'unknown']),
      reason: v.nullable(shortText),
      detail: shortText,
      durationMs: span,
    }),
  ),
  /** The usual time between two passes; null until two were seen. */
  intervalMs: v.nullable(span),
  /** How late the next pass may be, by its own options: interval apart, this long each. */
  deadlineMs: span,
  fall: count,
  rise: count,
  /** The suspensions that were in force at the last pass. */
  suspensionIds: v.array(shortText),
  /**
   * Addresses that leave as planned: until the first moment they are on the drain interface, until
   * the second they are answered through a local route. null: there is no first half.
   */
  drain: v.nullable(
    v.object({
      movedUntilMs: v.optional(v.nullable(bootMoment), null),
      untilMs: bootMoment,
      addresses: v.array(address),
    }),
  ),
  /** How long its addresses are drained, for whoever takes them out later; null: it never said. */
  drainMs: v.optional(v.nullable(span), null),
  /** The drain interface that a pass has made, or tried to; '' for none, null where none did yet. */
  drainInterface: v.optional(v.nullable(v.pipe(v.string(), v.maxLength(64))), null),
  /** The latest end of the service's unit that a pass has reckoned with; null: none. */
  serviceEnd: v.optional(v.nullable(shortText), null),
  /** What was warned about already: each is said once until it is over. */
  warned: v.array(shortText),
});

export type InstanceState = v.InferOutput<typeof InstanceState>;
export type Health = InstanceState['health'];
export type ServiceAddress = InstanceState['places'][number];

/**
 * Checks what was read from a state file.
 *
 * @returns the state, or why it cannot be used
 */
export function parseState(text: string): InstanceState | 'corrupt' | 'newer' {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return 'corrupt';
  }
  const result = v.safeParse(InstanceState, json);
  if (result.success) return result.output;
  const version = v.safeParse(v.object({ version: v.pipe(v.number(), v.integer()) }), json);
  return version.success && version.output.version > 1 ? 'newer' : 'corrupt';
}

/** The health of an instance of which nothing is known but what the kernel shows. */
export function initialHealth(status: Health['status'], now: Moment): Health {
  return {
    status,
    successes: 0,
    failures: 0,
    changedAtMs: now.bootMs,
    flaps: 0,
    holdUntilMs: 0,
  };
}

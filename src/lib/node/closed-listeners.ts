import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { endianness } from 'node:os';
import type { InstanceState } from '../state/instance-state.ts';
import { sleep } from '../system/clock.ts';
import { formatDuration } from '../system/duration.ts';
import { formatEndpoint, parseAddress } from '../system/ip-address.ts';
import type { NodeContext } from './node-context.ts';

/** A socket that waits for whatever comes to one address and port. */
export interface Listener {
  readonly protocol: 'udp' | 'tcp';
  /** In the kernel's spelling; `0.0.0.0` or `::` for all addresses. */
  readonly address: string;
  readonly port: number;
  /** What /proc/PID/fd knows it by. */
  readonly inode: number;
}

const TABLES = ['udp', 'udp6', 'tcp', 'tcp6'] as const;

/** States of net/tcp_states.h: a TCP socket that listens, a UDP socket without a peer. */
const WAITING = { udp: '07', tcp: '0A' } as const;

/** A row of proc_pid_net(5): slot, local end, peer, state, …, and the inode as the tenth word. */
const ROW = /^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) \S+ ([0-9A-F]{2}) (?:\S+ +){5}(\d+)/;

/**
 * The sockets of one of the kernel's tables that wait for packets or connections. Pure.
 *
 * @param text as /proc/net has it
 * @param order of the bytes of this machine: the kernel prints addresses as numbers of its own
 */
export function parseListeners(
  table: (typeof TABLES)[number],
  text: string,
  order: 'LE' | 'BE',
): readonly Listener[] {
  const protocol = table.startsWith('udp') ? 'udp' : 'tcp';
  return text.split('\n').flatMap((line) => {
    const [, address = '', port = '', state, inode] = ROW.exec(line) ?? [];
    if (state !== WAITING[protocol]) return [];
    return [
      { protocol, address: decode(address, order), port: parseInt(port, 16), inode: Number(inode) },
    ];
  });
}

/** Words of 32 bits, each in the order of the machine. */
function decode(hex: string, order: 'LE' | 'BE'): string {
  const bytes = Buffer.from(hex, 'hex');
  if (order === 'LE') bytes.swap32();
  const mapped = bytes.length === 16 && bytes.toString('hex').startsWith(MAPPED);
  if (bytes.length === 4 || mapped) return bytes.subarray(-4).join('.');
  const groups = bytes.toString('hex').match(/.{4}/g) ?? [];
  const spelled = groups.join(':');
  try {
    return parseAddress(spelled).text;
  } catch {
    return spelled; // one that no service address can be
  }
}

/** What an IPv4 address begins with in a socket of IPv6 (RFC 4291 section 2.5.5.2). */
const MAPPED = '00000000000000000000ffff';

/** All listeners of this network namespace. What the kernel does not tell is nowhere among them. */
export function readListeners(): readonly Listener[] {
  return TABLES.flatMap((table) => {
    const text = orElse('', () => readFileSync(`/proc/net/${table}`, 'latin1'));
    return parseListeners(table, text, endianness());
  });
}

/**
 * Says, while an instance is drained, that its service has closed the sockets that it had at just the
 * service addresses, as BIND does when an address leaves the node. Nothing is said of a service that
 * keeps them, or that listens on all addresses.
 *
 * @param before the listeners from before the withdrawal
 * @param hurry cuts the drain short
 */
export async function sayClosedListeners(
  instance: string,
  before: readonly Listener[],
  drain: InstanceState['drain'],
  { clock, log }: Pick<NodeContext, 'clock' | 'log'>,
  hurry: AbortSignal,
): Promise<void> {
  const own = before.filter(({ address }) => drain?.addresses.includes(address) === true);
  if (drain === null || own.length === 0) return;
  const nowMs = clock.now().bootMs;
  const program = programOf(
    new Set([...own, ...readListeners()].filter(isAmong(own)).map(inodeOf)),
  );
  const { movedUntilMs, untilMs } = drain;
  const firstHalfMs = Math.ceil(((movedUntilMs ?? nowMs) - nowMs) / 1000) * 1000;
  const said = new Set<string>();
  // First what a service does when the address moves, then what it does when it is gone.
  for (const moment of [nowMs, ...(movedUntilMs === null ? [] : [movedUntilMs])]) {
    const lookMs = Math.min(moment + SETTLED_MS, untilMs);
    await sleep(lookMs - clock.now().bootMs, hurry);
    if (hurry.aborted) return;
    const open = new Set(readListeners().map(nameOf));
    const closed = [...new Set(own.map(nameOf))].filter(
      (name) => !open.has(name) && !said.has(name),
    );
    if (closed.length === 0) continue;
    for (const name of closed) said.add(name);
    const rest =
      moment === movedUntilMs
        ? `if the network takes longer than ${formatDuration(firstHalfMs)} to hear of a withdrawal, take a longer --drain`
        : 'nothing is drained there (DAEMONS in anycast-ha(7) says how it would keep them)';
    log.warning(`${instance}: ${program} closed ${closed.join(', ')}: ${rest}`);
  }
}

/** The kernel is a little late, and the service hears of it then. */
const SETTLED_MS = 1500;

function nameOf({ protocol, address, port }: Listener): string {
  const family = address.includes(':') ? 6 : 4;
  return `${protocol} ${formatEndpoint({ family, text: address }, port)}`;
}

function inodeOf({ inode }: Listener): number {
  return inode;
}

function isAmong(own: readonly Listener[]): (listener: Listener) => boolean {
  const names = new Set(own.map(nameOf));
  return (listener) => names.has(nameOf(listener));
}

/** The name of the program that has one of these sockets, as far as we may see it. */
function programOf(inodes: ReadonlySet<number>): string {
  const sockets = new Set(Array.from(inodes, (inode) => `socket:[${inode}]`));
  // What has ended, or is not for us to look into, is passed over.
  const files = (folder: string): readonly string[] => orElse([], () => readdirSync(folder));
  for (const pid of files('/proc').filter((name) => /^\d+$/.test(name))) {
    const folder = `/proc/${pid}/fd`;
    const has = files(folder).some((file) =>
      sockets.has(orElse('', () => readlinkSync(`${folder}/${file}`))),
    );
    if (has) return orElse('the service', () => readFileSync(`/proc/${pid}/comm`, 'utf8').trim());
  }
  return 'the service';
}

/** What is read, or something else where that is refused. */
function orElse<Value>(otherwise: Value, read: () => Value): Value {
  try {
    return read();
  } catch {
    return otherwise;
  }
}

import { hostname } from 'node:os';
import { systemClock } from '../../system/clock.ts';
import type { IpAddress } from '../../system/ip-address.ts';
import { formatEndpoint } from '../../system/ip-address.ts';
import { down, unknown, type Verdict } from '../probe.ts';
import { verdictOfSocketError } from '../socket-fault.ts';
import {
  encodeSyslogMessage,
  frameSyslogMessage,
  TAG,
  type SyslogFraming,
  type SyslogMessage,
} from './syslog-message.ts';
import { askOverTcp } from '../tcp-exchange.ts';
import { askOverUdp } from '../udp-exchange.ts';

/** Where the syslog daemon takes messages. */
export type SendTarget =
  | { readonly transport: 'udp'; readonly address: IpAddress; readonly port: number }
  | {
      readonly transport: 'tcp';
      readonly address: IpAddress;
      readonly port: number;
      readonly framing: SyslogFraming;
    }
  | { readonly transport: 'unix'; readonly path: string };

/** Writes a target as the flag `--send` takes it. */
export function formatSendTarget(target: SendTarget): string {
  return target.transport === 'unix'
    ? `unix:${target.path}`
    : `${target.transport}://${formatEndpoint(target.address, target.port)}`;
}

/**
 * Sends one message, and stays to hear that it was refused.
 *
 * @param signal ends that
 * @returns why the message cannot have been taken; undefined when nothing is known against it
 *   by the end
 */
export async function sendSyslogMessage(
  target: SendTarget,
  message: SyslogMessage,
  signal: AbortSignal,
): Promise<Verdict | undefined> {
  if (target.transport === 'unix') return sendByLogger(target.path, message, signal);
  const text = encodeSyslogMessage(message, systemClock.now().wallMs, hostname());
  const outcome =
    target.transport === 'udp'
      ? await askOverUdp({ peer: target, payload: Buffer.from(text), accept: ignore, signal })
      : await askOverTcp({
          to: target,
          payload: Buffer.from(frameSyslogMessage(text, target.framing)),
          receive: ignore,
          maxBytes: 65_536,
          signal,
        });
  // That the daemon closed the connection says nothing of the message before it.
  return outcome.kind === 'failed'
    ? verdictOfSocketError(outcome.error, formatSendTarget(target))
    : undefined;
}

/** A syslog daemon has nothing to say to its senders. */
function ignore(): undefined {
  return undefined;
}

/**
 * Sends through logger(1), which finds out whether the socket takes datagrams, as /dev/log
 * does, or a stream. Node has no datagram sockets in the unix domain.
 */
async function sendByLogger(
  path: string,
  { format, priority, content }: SyslogMessage,
  signal: AbortSignal,
): Promise<Verdict | undefined> {
  const { execFile } = await import('node:child_process');
  const args = [
    ...['--socket', path, '--socket-errors=on', '--tag', TAG],
    ...['--priority', `${priority.facility}.${priority.severity}`],
    // Without a format it writes that of RFC 3164 without the host, as daemons expect it there.
    ...(format === 'rfc5424' ? ['--rfc5424=notq'] : []),
    ...['--', content],
  ];
  const options = {
    signal,
    killSignal: 'SIGKILL', // it blocks while the socket's queue is full
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
    cwd: '/',
  } as const;
  return new Promise((resolve) => {
    execFile('logger', args, options, (error, _stdout, stderr) => {
      resolve(error === null || signal.aborted ? undefined : verdictOfLogger(error, stderr, path));
    });
  });
}

/** @param stderr `logger: socket PATH: TEXT`, the text being that of strerror(3) */
function verdictOfLogger(error: Error, stderr: string, path: string): Verdict {
  const code = 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return unknown('no-program', 'logger(1) is not installed');
  if (typeof code === 'string') return unknown('resources', `logger(1) did not start (${code})`);
  const text = /: ([^:\n]*)\n*$/.exec(stderr)?.[1] ?? 'no message';
  const detail = `unix:${path}: logger(1) says: ${text}`;
  if (text === 'Permission denied') return unknown('permission', detail);
  return down('refused', detail);
}

import type { Log } from '../system/log.ts';

/** One question to one service. Exceptions that escape are bugs. */
export type Probe<Options> = (options: Options, context: ProbeContext) => Promise<Verdict>;

export interface ProbeContext {
  /** Aborted at the end of the attempt: a probe then settles at once with what it knows. */
  readonly signal: AbortSignal;
  readonly log: Log;
  /** The instance that the question is asked for, where there is one. */
  readonly instance?: string | undefined;
  /** What the passes until now made of the service, where they are remembered. */
  readonly health?: 'up' | 'down' | undefined;
  /** Is told of a command that is run, so that the next pass ends it should this one be killed. */
  readonly command?: { begun(pid: number): void; over(): void } | undefined;
}

export type Verdict =
  | { readonly status: 'up'; readonly detail: string }
  | { readonly status: 'down'; readonly reason: DownReason; readonly detail: string }
  | { readonly status: 'unknown'; readonly reason: UnknownReason; readonly detail: string };

/** The service's fault. */
export type DownReason =
  | 'timeout' // no acceptable answer in time
  | 'refused' // ICMP port unreachable or TCP RST
  | 'reset' // the connection ended in the middle
  | 'unreachable' // no route to a target that is not on this node
  | 'rcode' // DNS: another response code than expected
  | 'no-answer' // DNS: the code is right, the answer section is not filled
  | 'wrong-answer' // DNS: no record matches --answer; squid: the body does not match --body
  | 'stale' // DNS: out of a cache, and its time is over
  | 'missing-flag' // DNS: a header flag that was required is clear
  | 'truncated' // DNS: TC over UDP, and TCP did not help
  | 'too-slow' // a right answer that took longer than --max-latency
  | 'malformed' // an answer that breaks its protocol
  | 'tls' // the handshake failed, or the other end speaks no TLS
  | 'certificate' // TLS: not trusted, not for this name, over, or soon to be
  | 'rejected' // RADIUS: another packet code than expected
  | 'unauthenticated' // RADIUS: Message-Authenticator demanded and absent or wrong
  | 'bad-status' // HTTP: a status outside --status, made by the origin
  | 'proxy-error' // HTTP: an error page of the proxy itself
  | 'exit-status' // exec: the command says no
  | 'ended'; // systemd says that the service's unit ended while the probe asked

/** Our own fault, or nobody's: it must not count against the service. */
export type UnknownReason =
  | 'resources' // no files, sockets, memory or ports left
  | 'permission'
  | 'no-program'
  | 'no-interface' // missing, or down (also lo)
  | 'port-in-use' // our own listener's
  | 'overrun' // the probe did not settle by the deadline of the pass
  | 'reported'; // exec: the command itself says unknown

export function up(detail: string): Verdict {
  return { status: 'up', detail };
}

export function down(reason: DownReason, detail: string): Verdict {
  return { status: 'down', reason, detail };
}

export function unknown(reason: UnknownReason, detail: string): Verdict {
  return { status: 'unknown', reason, detail };
}

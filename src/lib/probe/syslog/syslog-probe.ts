import { monotonicMs, sleep } from '../../system/clock.ts';
import { errnoOf } from '../../system/errors.ts';
import { formatEndpoint } from '../../system/ip-address.ts';
import { randomHex } from '../../system/random.ts';
import { down, unknown, up, type Probe, type ProbeContext, type Verdict } from '../probe.ts';
import { verdictOfSocketError } from '../socket-fault.ts';
import { openSyslogListener, type ListenAddress, type SyslogListener } from './syslog-listener.ts';
import type { SyslogFormat, SyslogFraming, SyslogPriority } from './syslog-message.ts';
import { formatSendTarget, sendSyslogMessage, type SendTarget } from './syslog-sender.ts';

export interface SyslogProbeOptions {
  readonly send: SendTarget;
  readonly listen: ListenAddress;
  readonly format: SyslogFormat;
  readonly priority: SyslogPriority;
}

/** How often a taken port is tried again: another syslog-probe needs it for a few milliseconds. */
const PORT_RETRY_MS = 10;

/**
 * Sends one message with a nonce to the syslog daemon, which is configured to send it on to the
 * probe's own listener. The listener is bound before anything is sent.
 */
export const probeSyslog: Probe<SyslogProbeOptions> = async (options, { signal, log }) => {
  const { send, listen, format, priority } = options;
  const nonce = randomHex(16);
  const startMs = monotonicMs();
  const listener = await listenOnceFree(listen, nonce, { signal, log });
  if ('status' in listener) return listener;

  const sentMs = monotonicMs();
  const waitedMs = sentMs - startMs;
  const way = `${formatSendTarget(send)} to ${formatListenAddress(listen)}`;
  const ended = new AbortController();
  const end = (): void => {
    ended.abort();
  };
  if (signal.aborted) end();
  else signal.addEventListener('abort', end);
  const message = { format, priority, content: `anycast-ha probe ${nonce}` };
  try {
    const verdict = await Promise.race([
      listener.arrival.then(
        () => up(`${way}: came back in ${monotonicMs() - sentMs} ms`),
        (error: unknown) => verdictOfSocketError(error, way),
      ),
      // Undefined once it has ended: that nothing is known against a message is no verdict yet.
      sendSyslogMessage(send, message, ended.signal).then(
        async (refusal) => refusal ?? untilAborted(ended.signal),
      ),
    ]);
    if (verdict !== undefined) return verdict;
    const heard = `${listener.heardOthers() ? ', only other messages' : ''}${framingHint(send)}`;
    return verdictWithoutMessage(way, heard, waitedMs, monotonicMs() - sentMs);
  } finally {
    signal.removeEventListener('abort', end);
    end();
    listener.close();
  }
};

/** Binds the listener, waiting for as long as the attempt lasts while its port is taken. */
async function listenOnceFree(
  listen: ListenAddress,
  nonce: string,
  { signal, log }: ProbeContext,
): Promise<SyslogListener | Verdict> {
  for (let isFirst = true; ; isFirst = false) {
    try {
      return await openSyslogListener(listen, nonce);
    } catch (error) {
      const verdict = verdictOfSocketError(error, `listener ${formatListenAddress(listen)}`);
      if (errnoOf(error) !== 'EADDRINUSE' || signal.aborted) return verdict;
      if (isFirst) log.step(`${verdict.detail}: waiting for it`);
    }
    await sleep(PORT_RETRY_MS, signal);
  }
}

function verdictWithoutMessage(
  way: string,
  heard: string,
  waitedMs: number,
  listenedMs: number,
): Verdict {
  // The daemon had too little of the attempt's time to be blamed.
  if (waitedMs > listenedMs) {
    return unknown('port-in-use', `${way}: the port became free only after ${waitedMs} ms`);
  }
  return down('timeout', `${way}: the message did not come back in time${heard}`);
}

/**
 * A daemon that marks the end of a message otherwise drops it, or waits for the rest of it, and says
 * nothing either way: that is no different from one that hangs.
 */
function framingHint(send: SendTarget): string {
  if (send.transport !== 'tcp') return '';
  const other: SyslogFraming = send.framing === 'lf' ? 'octet-counting' : 'lf';
  return ` (or the daemon expects --framing ${other})`;
}

function formatListenAddress({ transport, address, port }: ListenAddress): string {
  return `${transport}://${formatEndpoint(address, port)}`;
}

function untilAborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    const done = (): void => {
      resolve(undefined);
    };
    if (signal.aborted) done();
    else signal.addEventListener('abort', done, { once: true });
  });
}

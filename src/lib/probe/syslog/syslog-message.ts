/** Codes of RFC 5424 section 6.2.1, for the names that syslog.conf(5) and logger(1) know. */
export const FACILITY_CODES = {
  kern: 0,
  user: 1,
  mail: 2,
  daemon: 3,
  auth: 4,
  syslog: 5,
  lpr: 6,
  news: 7,
  uucp: 8,
  cron: 9,
  authpriv: 10,
  ftp: 11,
  local0: 16,
  local1: 17,
  local2: 18,
  local3: 19,
  local4: 20,
  local5: 21,
  local6: 22,
  local7: 23,
} as const;

/** Codes of RFC 5424 section 6.2.1. */
export const SEVERITY_CODES = {
  emerg: 0,
  alert: 1,
  crit: 2,
  err: 3,
  warning: 4,
  notice: 5,
  info: 6,
  debug: 7,
} as const;

export interface SyslogPriority {
  readonly facility: keyof typeof FACILITY_CODES;
  readonly severity: keyof typeof SEVERITY_CODES;
}

export type SyslogFormat = 'rfc3164' | 'rfc5424';

/** How messages are told apart in a stream (RFC 6587 section 3.4). */
export type SyslogFraming = 'octet-counting' | 'lf';

export interface SyslogMessage {
  readonly format: SyslogFormat;
  readonly priority: SyslogPriority;
  /** Printable ASCII. */
  readonly content: string;
}

/** What the messages of the probe are marked with: TAG of RFC 3164, APP-NAME of RFC 5424. */
export const TAG = 'syslog-probe';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/**
 * Writes a message as it goes into a datagram, in ASCII.
 *
 * @param wallMs milliseconds since the epoch
 * @param hostname of this node; what a header cannot carry of it is left out
 */
export function encodeSyslogMessage(
  { format, priority: { facility, severity }, content }: SyslogMessage,
  wallMs: number,
  hostname: string,
): string {
  const pri = `<${FACILITY_CODES[facility] * 8 + SEVERITY_CODES[severity]}>`;
  const time = new Date(wallMs);
  const host = hostname.replaceAll(/[^A-Za-z0-9.-]/g, '').slice(0, 255);
  if (format === 'rfc5424') {
    // Section 6: VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG
    return `${pri}1 ${time.toISOString()} ${host === '' ? '-' : host} ${TAG} - - - ${content}`;
  }
  // RFC 3164 section 4.1.2: local time, the host without its domain.
  const shortHost = host.split('.')[0] ?? '';
  const named = shortHost === '' ? 'localhost' : shortHost;
  return `${pri}${localTimestamp(time)} ${named} ${TAG}: ${content}`;
}

/** `Nov  2 18:04:06`: the day is padded with a blank. */
function localTimestamp(time: Date): string {
  const day = String(time.getDate()).padStart(2);
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
  return `${MONTHS[time.getMonth()] ?? ''} ${day} ${clock}`;
}

/** Marks where a message ends in a stream (RFC 6587 sections 3.4.1 and 3.4.2). */
export function frameSyslogMessage(message: string, framing: SyslogFraming): string {
  return framing === 'lf' ? `${message}\n` : `${message.length} ${message}`;
}

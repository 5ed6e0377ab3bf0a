import { errnoOf } from '../system/errors.ts';
import { printable } from './printable.ts';
import { down, unknown, type Verdict } from './probe.ts';

/**
 * What a failed socket call says of the service. The line between `down` and `unknown` is
 * whether the other end could have caused it (errno(3), ip(7), tcp(7), unix(7)).
 *
 * @param error what the socket emitted or threw
 * @param target the question it was for, to begin the detail with
 * @throws the error itself when it is no system error: then it is a bug of ours
 */
export function verdictOfSocketError(error: unknown, target: string): Verdict {
  const code = errnoOf(error);
  switch (code) {
    case 'ECONNREFUSED':
      return down('refused', `${target}: connection refused`);
    case 'ENOENT': // the path of a unix socket whose daemon is gone
      return down('refused', `${target}: no such socket`);
    case 'ECONNRESET':
    case 'ECONNABORTED':
    case 'EPIPE':
      return down('reset', `${target}: connection reset`);
    case 'ETIMEDOUT':
      return down('timeout', `${target}: timed out`);
    case 'EHOSTUNREACH':
      return down('unreachable', `${target}: host unreachable`);
    case 'ENETUNREACH': // no route at all: lo or the interface towards the target is down
    case 'ENETDOWN':
    case 'ENODEV':
      return unknown('no-interface', `${target}: no interface leads there (${code})`);
    case 'EINVAL': // a link-local address whose interface is missing
      return unknown('no-interface', `${target}: no such interface (${code})`);
    case 'EACCES':
    case 'EPERM': // also a local packet filter's reject
      return unknown('permission', `${target}: not permitted here (${code})`);
    case 'EADDRINUSE':
      return unknown('port-in-use', `${target}: address already in use`);
    default:
      if (code === undefined) throw error;
      // The other end's alert, or what is no TLS at all (https://nodejs.org/api/errors.html).
      if (code === 'EPROTO' || /^ERR_(?:SSL|OSSL)_/.test(code)) {
        return down('tls', `${target}: TLS failed: ${reasonOf(error, code)}`);
      }
      return unknown('resources', `${target}: ${code}`);
  }
}

/** OpenSSL's word for what went wrong: `tlsv1 alert internal error`. */
function reasonOf(error: unknown, code: string): string {
  const reason: unknown = error instanceof Error && 'reason' in error ? error.reason : undefined;
  return typeof reason === 'string' ? printable(reason, 80) : code;
}

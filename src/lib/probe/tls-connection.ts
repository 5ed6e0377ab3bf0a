import type { PeerCertificate, SecureContext, TLSSocket } from 'node:tls';
import { systemClock } from '../system/clock.ts';
import { systemCertificates } from '../system/certificates.ts';
import { messageOf } from '../system/errors.ts';
import { printable } from './printable.ts';
import { down, type Verdict } from './probe.ts';
import { verdictOfSocketError } from './socket-fault.ts';
import type { Peer } from './udp-exchange.ts';

/** What is asked of a server's certificate. */
export interface TlsTerms {
  /** The host name or the address that it has to be for; a host name is sent along (SNI). */
  readonly name: string;
  /** Certificates in PEM form that are trusted; undefined: those that the system trusts. */
  readonly authorities: readonly string[] | undefined;
  /** Whether any certificate will do. */
  readonly insecure: boolean;
  /** The fewest days for which it has to be valid still. */
  readonly minDays: number | undefined;
}

export interface OpenTls {
  readonly socket: TLSSocket;
  /** How long the certificate is valid: `certificate until 2026-12-27`. */
  readonly certificate: string;
  /** What both ends speak behind it; undefined: nothing was agreed (RFC 7301). */
  readonly protocol: string | undefined;
}

export type TlsOutcome =
  ({ readonly kind: 'open' } & OpenTls) | { readonly kind: 'failed'; readonly verdict: Verdict };

const DAY_MS = 86_400_000;
const SHOWN_CHARACTERS = 160;

/** Why a certificate is not believed, in other words than those of OpenSSL's error codes. */
const FAULTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'it is over',
  CERT_NOT_YET_VALID: 'it is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it is signed by itself (see --tls-ca)',
  SELF_SIGNED_CERT_IN_CHAIN: 'its authority is not trusted here (see --tls-ca)',
  UNABLE_TO_GET_ISSUER_CERT: 'its authority is not trusted here (see --tls-ca)',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its authority is not trusted here (see --tls-ca)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its authority is not trusted here, or the server does not send the whole chain',
};

/**
 * Connects and shakes hands (RFC 8446), then looks at the certificate. Nothing is sent through the
 * connection before it is believed.
 *
 * @param protocols what may be spoken behind it, the preferred one first (ALPN); may be empty
 * @param label names the question, to begin a detail with
 * @param signal ends the handshake when it is aborted; the open connection is the caller's to end
 */
export async function openTls(
  peer: Peer,
  terms: TlsTerms,
  protocols: readonly string[],
  label: string,
  signal: AbortSignal,
): Promise<TlsOutcome> {
  // Only here: no probe loads it unless it is asked to.
  const { checkServerIdentity, connect, createSecureContext } = await import('node:tls');
  const { isIP } = await import('node:net');
  if (signal.aborted)
    return { kind: 'failed', verdict: down('timeout', `${label}: no connection`) };
  const socket = connect({
    host: peer.address.text,
    port: peer.port,
    ...(protocols.length === 0 ? {} : { ALPNProtocols: [...protocols] }),
    ...(isIP(terms.name) === 0 ? { servername: terms.name } : {}),
    secureContext: contextFor(terms, createSecureContext),
    // Judged below, where the certificate is at hand.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  socket.setNoDelay(true);
  let abort = (): void => undefined;
  const failure = await new Promise<Verdict | undefined>((resolve) => {
    let position = 'no connection';
    abort = () => {
      resolve(down('timeout', `${label}: ${position} in time`));
    };
    signal.addEventListener('abort', abort);
    socket.on('connect', () => {
      position = 'no TLS handshake';
    });
    socket.on('error', (error: Error) => {
      resolve(verdictOfHandshake(error, label));
    });
    socket.on('secureConnect', () => {
      const certificate = socket.getPeerCertificate();
      const fault =
        (terms.insecure ? undefined : faultOf(socket, certificate, terms, checkServerIdentity)) ??
        shortness(certificate, terms);
      resolve(
        fault === undefined ? undefined : down('certificate', `${label}: the certificate ${fault}`),
      );
    });
  });
  signal.removeEventListener('abort', abort);
  if (failure !== undefined) {
    socket.destroy(); // its listeners stay: an error that follows must still find one
    return { kind: 'failed', verdict: failure };
  }
  return {
    kind: 'open',
    socket,
    certificate: `certificate until ${day(socket.getPeerCertificate())}`,
    protocol: socket.alpnProtocol === false ? undefined : (socket.alpnProtocol ?? undefined),
  };
}

/** Keys for the contexts that trust the system's authorities, and anybody. */
const SYSTEM: readonly string[] = [];
const ANYBODY: readonly string[] = [];

const contexts = new WeakMap<readonly string[], SecureContext>();

/** Reading what the system trusts takes longer than a handshake: once is enough for all questions. */
function contextFor(
  { authorities, insecure }: TlsTerms,
  create: (options: { ca?: string[] }) => SecureContext,
): SecureContext {
  const trusted = insecure ? ANYBODY : (authorities ?? SYSTEM);
  const context = contexts.get(trusted) ?? create(authoritiesOf(trusted));
  contexts.set(trusted, context);
  return context;
}

function authoritiesOf(trusted: readonly string[]): { ca?: string[] } {
  if (trusted === ANYBODY) return {};
  if (trusted !== SYSTEM) return { ca: [...trusted] };
  const system = systemCertificates();
  return system === undefined ? {} : { ca: [system] }; // else Node's own
}

/** A connection that ends within the handshake has no error of its own. */
function verdictOfHandshake(error: Error, label: string): Verdict {
  const isEnd = 'code' in error && error.code === 'ECONNRESET' && !('syscall' in error);
  return isEnd
    ? down('reset', `${label}: closed in the TLS handshake`)
    : verdictOfSocketError(error, label);
}

/** Why the certificate is not believed, as what follows `the certificate`. */
function faultOf(
  socket: TLSSocket,
  certificate: PeerCertificate,
  { name }: TlsTerms,
  check: (hostname: string, certificate: PeerCertificate) => Error | undefined,
): string | undefined {
  if (!socket.authorized) {
    const code = String(socket.authorizationError);
    const why = FAULTS[code] ?? code.toLowerCase().replaceAll('_', ' ');
    return `of ${subjectOf(certificate)}, until ${day(certificate)}, is not accepted: ${why}`;
  }
  try {
    if (check(name, certificate) === undefined) return undefined;
  } catch (error) {
    return `cannot be read: ${printable(messageOf(error), SHOWN_CHARACTERS)}`;
  }
  return `is not for ${name}, but for ${subjectOf(certificate)}`;
}

/** Whom it is for, in its own words: a stranger's. */
function subjectOf({ subjectaltname, subject }: Partial<PeerCertificate>): string {
  const named = subjectaltname ?? [subject?.CN].flat().join(', ');
  const shown = printable(
    named.replaceAll('IP Address:', '').replaceAll('DNS:', ''),
    SHOWN_CHARACTERS,
  );
  return shown === '' ? 'nobody' : shown;
}

function shortness(certificate: PeerCertificate, { minDays }: TlsTerms): string | undefined {
  if (minDays === undefined) return undefined;
  const days = Math.floor((Date.parse(certificate.valid_to) - systemClock.now().wallMs) / DAY_MS);
  if (days >= minDays) return undefined;
  const left = days < 0 ? 'is over' : `is valid for ${days} days`;
  return `${left}, until ${day(certificate)}, wanted are ${minDays} days`;
}

function day(certificate: PeerCertificate): string {
  const endsMs = Date.parse(certificate.valid_to);
  return Number.isNaN(endsMs) ? 'an unknown day' : new Date(endsMs).toISOString().slice(0, 10);
}

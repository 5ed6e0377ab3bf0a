import { readFileSync, statSync } from 'node:fs';
import { ConfigurationError, errnoOf, PermissionError } from './errors.ts';

/** Where distributions keep the certificates that they trust, as one file. */
const SYSTEM_FILES = [
  '/etc/ssl/certs/ca-certificates.crt', // Debian, Alpine, Arch
  '/etc/pki/tls/certs/ca-bundle.crt', // Fedora and its relatives
  '/etc/ssl/ca-bundle.pem', // SUSE
];

/** More than all public authorities together. */
const MAX_BYTES = 4 * 1_048_576;

/** Write for the group or for everybody else (inode(7)). */
const WRITABLE_BY_OTHERS = 0o022;

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * The certificates of a file, each of which can be read as one.
 *
 * @param flag the option that names the file, for messages
 * @returns PEM texts
 * @throws ConfigurationError or PermissionError, which names the flag and the file
 */
export function readCertificates(flag: string, path: string): readonly string[] {
  const text = readTrusted(flag, path);
  const certificates = text.match(CERTIFICATE) ?? [];
  if (certificates.length === 0 || !certificates.every(isCertificate)) {
    throw new ConfigurationError(`${flag}: ${path} holds no certificates in PEM form`);
  }
  return certificates;
}

/** Whoever can write the file says whom we believe. A link is followed: distributions use them. */
function readTrusted(flag: string, path: string): string {
  try {
    const status = statSync(path);
    if (!status.isFile()) throw new ConfigurationError(`${flag}: ${path} is no regular file`);
    if (status.size > MAX_BYTES) throw new ConfigurationError(`${flag}: ${path} is too long`);
    if ((status.mode & WRITABLE_BY_OTHERS) !== 0) {
      throw new ConfigurationError(`${flag}: ${path} can be written by others: chmod go-w ${path}`);
    }
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = errnoOf(error);
    if (code === undefined) throw error;
    const message = `${flag}: ${path} cannot be read (${code})`;
    if (code === 'EACCES' || code === 'EPERM') throw new PermissionError(message, { cause: error });
    throw new ConfigurationError(message, { cause: error });
  }
}

function isCertificate(text: string): boolean {
  // Only here: a program that needs no certificate does not load it.
  const { X509Certificate } = process.getBuiltinModule('node:crypto');
  try {
    return new X509Certificate(text).raw.length > 0;
  } catch {
    return false;
  }
}

/** What the system trusts; undefined where it keeps that elsewhere. */
export function systemCertificates(): string | undefined {
  for (const path of SYSTEM_FILES) {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      continue; // another distribution
    }
  }
  return undefined;
}

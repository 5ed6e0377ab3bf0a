import { optional, flag, type Values } from '../options/option.ts';
import { file, tlsName } from '../options/value-parsers.ts';
import { readCertificates } from '../system/certificates.ts';
import { UsageError } from '../system/errors.ts';
import type { TlsTerms } from './tls-connection.ts';

/** The options of probes that ask over TLS. */
export const tlsOptions = {
  'tls-name': optional(tlsName, {
    describe: 'Name that the certificate has to be for, and that is sent along (SNI).',
    defaultNote: 'the host that is asked',
  }),
  'tls-ca': optional(file, {
    describe: 'File with the certificates, in PEM form, of the authorities that are trusted.',
    defaultNote: "the system's",
  }),
  'tls-insecure': flag({
    describe: 'Accept any certificate.',
  }),
} as const;

type TlsValues = Values<typeof tlsOptions>;

/**
 * What is asked of the certificate; whom it has to be for only where an option says so.
 *
 * @throws UsageError, ConfigurationError or PermissionError
 */
export function tlsTermsOf(
  values: TlsValues,
  minDays: number | undefined,
): Omit<TlsTerms, 'name'> & { readonly name: string | undefined } {
  const path = values['tls-ca'];
  const insecure = values['tls-insecure'];
  if (insecure && path !== undefined) {
    throw new UsageError('--tls-ca does not go with --tls-insecure, which trusts anybody');
  }
  return {
    name: values['tls-name'],
    authorities: path === undefined ? undefined : readCertificates('--tls-ca', path),
    insecure,
    minDays,
  };
}

/** @throws UsageError where an option is given that only means something over TLS */
export function refuseTlsOptions(values: TlsValues, what: string): void {
  for (const name of ['tls-name', 'tls-ca', 'tls-insecure'] as const) {
    const given = values[name];
    if (given !== undefined && given !== false)
      throw new UsageError(`--${name} is for ${what} only`);
  }
}

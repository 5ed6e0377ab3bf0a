import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { runCommand } from './child.ts';

/**
 * Makes an authority, `ca.pem`, and with it `www.pem` and `www.key`, a certificate of `www.test`
 * and 127.0.0.1 for 60 days, and `short.pem` and `short.key`, one for 3 days.
 */
export async function makeCertificates(folder: string): Promise<void> {
  const must = async (...args: readonly string[]): Promise<void> => {
    const { exitCode, stderr } = await runCommand('openssl', args, { cwd: folder });
    if (exitCode !== 0) throw new Error(`openssl: ${stderr}`);
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const authority = ['-keyout', 'ca.key', '-out', 'ca.pem', '-days', '90', '-subj', '/CN=Test CA'];
  await must('req', '-x509', ...key, ...authority);
  writeFileSync(path.join(folder, 'names'), 'subjectAltName=DNS:www.test,IP:127.0.0.1\n');
  for (const [name, days] of [
    ['www', '60'],
    ['short', '3'],
  ] as const) {
    await must('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', '/CN=x');
    const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', days];
    const files = ['-in', `${name}.csr`, '-out', `${name}.pem`, '-extfile', 'names'];
    await must('x509', '-req', ...files, ...signing);
  }
}

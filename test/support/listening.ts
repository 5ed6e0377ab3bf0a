import type { Namespace } from './namespace.ts';

/**
 * Whether somebody in the namespace listens, as ss(8) shows it.
 *
 * @param local `127.0.0.1:5514`, `*:3128` or the path of a unix socket
 */
export async function isListening(
  namespace: Namespace,
  transport: 'udp' | 'tcp' | 'unix',
  local: string,
): Promise<boolean> {
  const flags = { udp: '-Hnlu', tcp: '-Hnlt', unix: '-Hnlx' }[transport];
  const { stdout } = await namespace.exec('ss', [flags]);
  return stdout.split(/\s+/).includes(local);
}

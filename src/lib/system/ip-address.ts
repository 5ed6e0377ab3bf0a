/** An IPv4 or IPv6 address in the one spelling that the kernel uses for it. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly text: string;
}

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

/**
 * Reads an IP literal.
 *
 * @param text dotted quad, or any spelling of RFC 4291 section 2.2 without a zone
 * @returns the address in canonical form (RFC 5952), as the kernel prints it
 * @throws RangeError with a message that fits behind the name of a flag
 */
export function parseAddress(text: string): IpAddress {
  if (IPV4.test(text)) return { family: 4, text };
  const canonical = /^[0-9A-Fa-f:.]{2,45}$/.test(text) ? canonicalIpv6(text) : undefined;
  if (canonical === undefined) {
    throw new RangeError(`'${text}' is no IP address (names are not resolved)`);
  }
  return { family: 6, text: canonical };
}

function canonicalIpv6(text: string): string | undefined {
  if (!text.includes(':') || !URL.canParse(`http://[${text}]/`)) return undefined;
  // The URL standard's serialiser is RFC 5952's and the kernel's, except for embedded IPv4: mapped
  // addresses are IPv4's, and compatible ones are deprecated (RFC 4291 section 2.5.5).
  const canonical = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  return /^::(ffff:)?[0-9a-f]+:[0-9a-f]+$/.test(canonical) ? undefined : canonical;
}

/** The host prefix that covers just one address: `192.0.2.1/32`, `2001:db8::1/128`. */
export function hostPrefix(address: string): string {
  return `${address}/${hostLength(address)}`;
}

/** The length of a host prefix. */
export function hostLength(address: string): number {
  return address.includes(':') ? 128 : 32;
}

/** The address with a port, as people write it: `192.0.2.1:53`, `[2001:db8::1]:53`. */
export function formatEndpoint(address: IpAddress, port: number): string {
  return address.family === 4 ? `${address.text}:${port}` : `[${address.text}]:${port}`;
}

/** Whether packets to it never leave the node whatever its addresses are (RFC 1122, RFC 4291). */
export function isLoopback(address: IpAddress): boolean {
  return address.family === 4 ? address.text.startsWith('127.') : address.text === '::1';
}

/** The address without the interface that a link-local one may name: `fe80::1%eth0`. */
export function withoutZone(address: IpAddress): IpAddress {
  return { ...address, text: address.text.split('%', 1)[0] ?? '' };
}

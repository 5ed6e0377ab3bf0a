import { describe, expect, test } from 'vitest';
import { parseListeners } from '../../../src/lib/node/closed-listeners.ts';

/** As Linux 6.18 on x86-64 printed them; BIND with the service addresses, and what was beside it. */
const HEAD = '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n';
const UDP = `${HEAD} 1037: 010200C0:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4242 2 00000000c1b0f1a2 0
 1037: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   104        0 4243 2 00000000c1b0f1a3 0
 1040: 010200C0:9C40 026433C6:0035 01 00000000:00000000 00:00000000 00000000   104        0 4244 2 00000000c1b0f1a4 0
`;
const UDP6 = `${HEAD} 1037: B80D0120000000000000000001000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4245 2 00000000c1b0f1a5 0
 1037: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4246 2 00000000c1b0f1a6 0
 1037: 0000000000000000FFFF0000010200C0:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4247 2 00000000c1b0f1a7 0
`;
const TCP = `${HEAD}    0: 010200C0:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4248 1 00000000c1b0f1a8 100 0 0 10 0
    1: 010200C0:0035 020071CB:D431 01 00000000:00000000 00:00000000 00000000     0        0 4249 1 00000000c1b0f1a9 20 4 30 10 -1
`;

describe("the kernel's tables of sockets", () => {
  test('tell which wait at an IPv4 address, and leave out those that have a peer', () => {
    expect(parseListeners('udp', UDP, 'LE')).toEqual([
      { protocol: 'udp', address: '192.0.2.1', port: 53, inode: 4242 },
      { protocol: 'udp', address: '0.0.0.0', port: 53, inode: 4243 },
    ]);
    expect(parseListeners('tcp', TCP, 'LE')).toEqual([
      { protocol: 'tcp', address: '192.0.2.1', port: 53, inode: 4248 },
    ]);
  });

  test('tell IPv6 addresses as they are written, and mapped ones as IPv4', () => {
    expect(parseListeners('udp6', UDP6, 'LE').map(({ address }) => address)).toEqual([
      '2001:db8::1',
      '::',
      '192.0.2.1',
    ]);
  });

  test('are read in the byte order of the machine', () => {
    const line = TCP.replaceAll('010200C0', 'C0000201');
    expect(parseListeners('tcp', line, 'BE')[0]?.address).toBe('192.0.2.1');
    const six = UDP6.replaceAll(
      'B80D0120000000000000000001000000',
      '20010DB8000000000000000000000001',
    );
    expect(parseListeners('udp6', six, 'BE')[0]?.address).toBe('2001:db8::1');
  });

  test.each(['', HEAD, 'nonsense\n', '  1: 010200C0:0035', `${HEAD} 1: XX:0035 0:0 07\n`])(
    'that are something else have no socket: %j',
    (text) => {
      expect(parseListeners('udp', text, 'LE')).toEqual([]);
    },
  );
});

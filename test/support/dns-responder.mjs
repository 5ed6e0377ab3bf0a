import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/**
 * A name server that knows one answer, the SOA record of the root, and gives it to every question
 * over UDP and TCP. It is a program of its own, so that it can run in a network namespace, be
 * frozen and be killed like any daemon.
 *
 * Arguments: the addresses to listen on, each at port 53. Says `ready` when it listens on all.
 */

// RFC 1035 section 4.1.3: the owner, type SOA, class IN, a TTL of 5 s, and what RFC 1035 3.3.13 asks.
const NAMES = Buffer.from([1, 0x61, 0, 1, 0x62, 0]); // MNAME a. and RNAME b.
const NUMBERS = Buffer.alloc(20);
const SOA = Buffer.concat([
  Buffer.from([0, 0, 6, 0, 1, 0, 0, 0, 5, 0, NAMES.length + NUMBERS.length]),
  NAMES,
  NUMBERS,
]);

/**
 * @param {Buffer} query
 * @returns {Buffer}
 */
function answer(query) {
  let end = 12;
  for (let length = query[end] ?? 0; length > 0; length = query[end] ?? 0) end += 1 + length;
  const reply = Buffer.concat([query.subarray(0, end + 5), SOA]);
  reply.writeUInt16BE(0x8180, 2); // QR, RD, RA
  for (const [offset, count] of [
    [4, 1],
    [6, 1],
    [8, 0],
    [10, 0],
  ]) {
    reply.writeUInt16BE(count ?? 0, offset);
  }
  return reply;
}

/** @param {string} address */
function serveUdp(address) {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (query, { address: asker, port }) => {
    socket.send(answer(query), port, asker);
  });
  return new Promise((resolve) => {
    socket.bind(53, address, () => {
      resolve(undefined);
    });
  });
}

/** @param {string} address */
function serveTcp(address) {
  const server = createServer((connection) => {
    let received = Buffer.alloc(0);
    connection.on('error', () => {
      // The asker may go at any time.
    });
    connection.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        const reply = answer(received.subarray(2, end));
        connection.write(Buffer.concat([Buffer.from([0, reply.length]), reply]));
        received = received.subarray(end);
      }
    });
  });
  return new Promise((resolve) => {
    server.listen({ port: 53, host: address, backlog: 4096 }, () => {
      resolve(undefined);
    });
  });
}

const addresses = process.argv.slice(2);
await Promise.all(addresses.flatMap((address) => [serveUdp(address), serveTcp(address)]));
console.log('ready');

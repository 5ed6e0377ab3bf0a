import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:net';

/**
 * Servers that answer at once, so that what is measured is the probe: DNS, RADIUS, a syslog daemon
 * that sends everything back, and HTTP. With addresses as arguments: only TCP port 80 there.
 * Says `ready` when all listen. Where ASKED names a folder, a file there has a byte for each
 * question: named after the port.
 */

const SECRET = 'bench';
/** The SOA record of the root (RFC 1035 section 3.3.13): its names and numbers are of no matter. */
const SOA = Buffer.concat([Buffer.from([0, 0, 6, 0, 1, 0, 0, 0, 5, 0, 22]), Buffer.alloc(22)]);

/** @param {number} port that was asked */
function note(port) {
  const folder = process.env['ASKED'];
  if (folder !== undefined) appendFileSync(`${folder}/${port}`, '.');
}

/** @param {Buffer} query without EDNS or with it: only the question is answered */
function dnsAnswer(query) {
  let end = 12;
  for (let length = query[end] ?? 0; length > 0; length = query[end] ?? 0) end += 1 + length;
  const reply = Buffer.concat([query.subarray(0, end + 5), SOA]);
  reply.writeUInt16BE(0x8180, 2); // QR, RD, RA
  reply.writeUInt16BE(1, 6); // one answer
  reply.writeUInt32BE(0, 8);
  return reply;
}

/**
 * An Access-Accept without attributes (RFC 2865 section 3).
 *
 * @param {Buffer} request
 */
function radiusAnswer(request) {
  const header = Buffer.from([2, request[1] ?? 0, 0, 20]);
  const secured = [header, request.subarray(4, 20), Buffer.from(SECRET)];
  return Buffer.concat([header, createHash('md5').update(Buffer.concat(secured)).digest()]);
}

/**
 * @param {number} port
 * @param {(request: Buffer) => Buffer} answer
 * @param {number} [answerPort] where answers go; to the asker's by default
 */
function serveUdp(port, answer, answerPort) {
  const socket = createSocket('udp4');
  socket.on('message', (request, asker) => {
    note(port);
    socket.send(answer(request), answerPort ?? asker.port, asker.address);
  });
  return new Promise((resolve) => {
    socket.bind(port, '127.0.0.1', () => {
      resolve(undefined);
    });
  });
}

/**
 * @param {number} port
 * @param {string} address
 */
function serveHttp(port, address) {
  const server = createServer((connection) => {
    note(port);
    connection.on('error', () => {
      // The asker may go at any time.
    });
    connection.once('data', () => {
      connection.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    });
  });
  return new Promise((resolve) => {
    server.listen(port, address, () => {
      resolve(undefined);
    });
  });
}

const addresses = process.argv.slice(2);
await (addresses.length === 0
  ? Promise.all([
      serveUdp(53, dnsAnswer),
      serveUdp(18120, radiusAnswer),
      serveUdp(5514, (message) => message, 5515),
      serveHttp(3128, '127.0.0.1'),
    ])
  : Promise.all(addresses.map((address) => serveHttp(80, address))));
console.log('ready');

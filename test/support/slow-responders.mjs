/**
 * Servers that answer a while after they were asked, and say so before: a pass can be stopped in
 * between. Usage: slow-responders.mjs DELAY_MS, or `never`. DNS on UDP and TCP 53, HTTP on 3128,
 * RADIUS on 18120 (secret: secret), syslog from 5514 to 5515; TCP 80 takes connections.
 */
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const delayMs = process.argv[2] === 'never' ? Infinity : Number(process.argv[2]);
const SOA = Buffer.concat([Buffer.from([0, 0, 6, 0, 1, 0, 0, 0, 5, 0, 22]), Buffer.alloc(22)]);

/** @param {() => void} answer */
function later(answer) {
  console.log('asked');
  if (delayMs !== Infinity) setTimeout(answer, delayMs);
}

/** @param {Buffer} query for the root, with EDNS or without */
function dnsAnswer(query) {
  const reply = Buffer.concat([query.subarray(0, 12 + 1 + 4), SOA]);
  reply.writeUInt16BE(0x8180, 2);
  reply.writeUInt16BE(1, 6);
  reply.writeUInt32BE(0, 8);
  return reply;
}

/** @param {Buffer} request */
function radiusAnswer(request) {
  const header = Buffer.from([2, request[1] ?? 0, 0, 20]);
  const secured = [header, request.subarray(4, 20), Buffer.from('secret')];
  return Buffer.concat([header, createHash('md5').update(Buffer.concat(secured)).digest()]);
}

/** @type {readonly (readonly [port: number, answer: (request: Buffer) => Buffer, to?: number])[]} */
const datagrams = [
  [53, dnsAnswer],
  [18_120, radiusAnswer],
  [5514, (message) => message, 5515],
];
for (const [port, answer, to] of datagrams) {
  const socket = createSocket('udp4');
  socket.on('message', (request, asker) => {
    later(() => {
      socket.send(answer(request), to ?? asker.port, asker.address);
    });
  });
  socket.bind(port, '127.0.0.1');
}

createServer((connection) => {
  connection.on('error', () => undefined);
  connection.on('data', (query) => {
    later(() => {
      const reply = dnsAnswer(query.subarray(2));
      const length = Buffer.alloc(2);
      length.writeUInt16BE(reply.length);
      connection.write(Buffer.concat([length, reply]));
    });
  });
}).listen(53, '127.0.0.1');

createServer((connection) => {
  connection.on('error', () => undefined);
  connection.once('data', () => {
    later(() => {
      connection.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    });
  });
}).listen(3128, '127.0.0.1', () => {
  console.log('ready');
});

import { createSocket } from 'node:dgram';
import { connect } from 'node:net';

/**
 * Asks a name server for the root again and again, each time once, and tells what came of it.
 *
 * Arguments: `udp` or `tcp`, the address, and the milliseconds between two questions. Says `ready`
 * with the first answer. When its stdin ends, it waits for what is still under way and prints one
 * line of JSON: how many were asked, and when (milliseconds since the epoch) those were asked that
 * were never answered.
 */

const GRACE_MS = 1000;
const [transport, address = '', interval] = process.argv.slice(2);
/** When each question was asked that is not answered yet, by its number. @type {Map<number, number>} */
const open = new Map();
let asked = 0;
let answered = 0;

/** @param {number} number */
function query(number) {
  const message = Buffer.alloc(17);
  message.writeUInt16BE(number & 0xffff, 0);
  message.writeUInt16BE(0x0100, 2); // RD
  message.writeUInt16BE(1, 4);
  message.writeUInt16BE(6, 13); // SOA
  message.writeUInt16BE(1, 15); // IN
  return message;
}

/** @param {number} number */
function note(number) {
  if (!open.delete(number)) return;
  answered += 1;
  if (answered === 1) console.log('ready');
}

/** @returns {(number: number) => void} */
function overUdp() {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (reply) => {
    note(reply.readUInt16BE(0));
  });
  socket.on('error', () => {
    // Unreachable or refused: the question stays open.
  });
  return (number) => {
    socket.send(query(number), 53, address, () => {
      // The same.
    });
  };
}

/** @returns {(number: number) => void} */
function overTcp() {
  return (number) => {
    const connection = connect(53, address, () => {
      connection.write(Buffer.concat([Buffer.from([0, 17]), query(number)]));
    });
    connection.on('data', (chunk) => {
      note(chunk.readUInt16BE(2));
      connection.destroy();
    });
    connection.on('error', () => {
      // Refused or unreachable: the question stays open.
    });
  };
}

const ask = transport === 'tcp' ? overTcp() : overUdp();
const timer = setInterval(() => {
  asked += 1;
  open.set(asked & 0xffff, Date.now());
  ask(asked & 0xffff);
}, Number(interval));

process.stdin.resume();
process.stdin.on('end', () => {
  clearInterval(timer);
  setTimeout(() => {
    console.log(JSON.stringify({ asked, answered, lostAtMs: [...open.values()] }));
    process.exit(0);
  }, GRACE_MS);
});

import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';

/**
 * The matrix's client: asks a service for the name of the node that answers, each question once
 * and without repetition.
 *
 * Arguments: `dns`, `radius` or `http`, the port, the milliseconds between two questions, and
 * streams as `udp,ADDR` or `tcp,ADDR`. Says `ready` when each stream had an answer. When its stdin
 * ends, it waits for what is under way, and prints a line of JSON: for each stream what was asked,
 * as pairs of the time (milliseconds since the epoch) and who answered: `near`, `far`, or null for
 * nobody within a second, or for an error.
 */

const LIMIT_MS = 1000;
const [protocol = '', port = '', everyMs = '10', ...streams] = process.argv.slice(2);
/** What tells the nodes apart in an answer: the A record of node.lab., or the name. */
const SIGNS = /** @type {const} */ ([
  ['near', Buffer.from([198, 51, 100, 201])],
  ['far', Buffer.from([198, 51, 100, 202])],
  ['near', Buffer.from('node near')],
  ['far', Buffer.from('node far')],
]);

/** node.lab. A IN, with the recursion desired (RFC 1035 section 4.1). */
const QUERY = Buffer.from(
  '00000100000100000000000004'.concat('6e6f646503', '6c61620000010001'),
  'hex',
);

/** @type {Record<string, { bits: number, offset: number, ask: (id: number) => Buffer, whole: (answer: Buffer) => boolean }>} */
const PROTOCOLS = {
  dns: {
    bits: 16,
    offset: 0,
    ask: (id) => {
      const message = Buffer.from(QUERY);
      message.writeUInt16BE(id);
      return message;
    },
    whole: (answer) => answer.length > 2 && answer.length >= 2 + answer.readUInt16BE(0),
  },
  // An Access-Request of user "client" (RFC 2865 sections 3 and 5.1); the site asks no password.
  radius: {
    bits: 8,
    offset: 1,
    ask: (id) =>
      Buffer.concat([Buffer.from([1, id, 0, 28]), randomBytes(16), Buffer.from('\x01\x08client')]),
    whole: () => true,
  },
  http: {
    bits: 16,
    offset: 0,
    ask: () => Buffer.from('GET /squid-internal-static/icons/SN.png HTTP/1.0\r\n\r\n'),
    whole: (answer) => answer.includes('\r\n\r\n'),
  },
};
const spoken = PROTOCOLS[protocol];
if (spoken === undefined) throw new Error(`'${protocol}' is not spoken`);

const now = () => performance.timeOrigin + performance.now();

/** @typedef {{ sentMs: number, by: 'near' | 'far' | null }} Question */

/** @type {Map<string, Question[]>} */
const asked = new Map();
const waiting = new Set(streams);

/**
 * @param {string} stream
 * @param {Question | undefined} question
 * @param {Buffer} answer
 */
function note(stream, question, answer) {
  const by = SIGNS.find(([, sign]) => answer.includes(sign))?.[0];
  if (question === undefined || by === undefined || now() - question.sentMs > LIMIT_MS) return;
  question.by = by;
  if (waiting.delete(stream) && waiting.size === 0) console.log('ready');
}

for (const stream of streams) {
  const [transport, address = ''] = stream.split(',');
  /** @type {Question[]} */
  const questions = [];
  asked.set(stream, questions);
  const ask = transport === 'udp' ? overUdp() : overTcp();

  /** @returns {(question: Question, number: number) => void} */
  function overUdp() {
    const { bits, offset, ask: message } = /** @type {NonNullable<typeof spoken>} */ (spoken);
    // RADIUS servers remember an id of a port for seconds (RFC 5080 section 2.2.2): as if many asked.
    const sockets = Array.from({ length: bits === 8 ? 16 : 1 }, () => {
      /** @type {Map<number, Question>} the latest with each id */
      const open = new Map();
      const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
      socket.on('error', () => {
        // Unreachable or refused: the question stays unanswered.
      });
      socket.on('message', (answer) => {
        const id = bits === 16 ? answer.readUInt16BE(offset) : answer.readUInt8(offset);
        note(stream, open.get(id), answer);
      });
      return { socket, open };
    });
    return (question, number) => {
      const chosen = sockets[number % sockets.length];
      const id = Math.floor(number / sockets.length) % 2 ** bits;
      chosen?.open.set(id, question);
      chosen?.socket.send(message(id), Number(port), address, () => {
        // The same.
      });
    };
  }

  /** @returns {(question: Question, number: number) => void} */
  function overTcp() {
    return (question, number) => {
      const { ask: message, whole } = /** @type {NonNullable<typeof spoken>} */ (spoken);
      const connection = connect({ host: address, port: Number(port), noDelay: true }, () => {
        const text = message(number & 0xffff);
        const length = Buffer.from([0, text.length]);
        connection.write(protocol === 'dns' ? Buffer.concat([length, text]) : text);
      });
      let received = Buffer.alloc(0);
      connection.on('data', (chunk) => {
        received = Buffer.concat([received, chunk]);
        if (!whole(received)) return;
        note(stream, question, received);
        connection.destroy();
      });
      connection.on('error', () => {
        connection.destroy();
      });
      setTimeout(() => connection.destroy(), LIMIT_MS);
    };
  }

  // Streams take turns, and a late timer makes up for what it missed.
  let due = performance.now() + (streams.indexOf(stream) * Number(everyMs)) / streams.length;
  setInterval(() => {
    for (; due <= performance.now(); due += Number(everyMs)) {
      /** @type {Question} */
      const question = { sentMs: now(), by: null };
      ask(question, questions.push(question) - 1);
    }
  }, 2);
}

process.stdin.resume();
process.stdin.on('end', () => {
  const upTo = now();
  setTimeout(() => {
    const told = [...asked].map(([stream, questions]) => [
      stream,
      questions.filter(({ sentMs }) => sentMs < upTo).map(({ sentMs, by }) => [sentMs, by]),
    ]);
    process.stdout.write(`${JSON.stringify(Object.fromEntries(told))}\n`, () => process.exit(0));
  }, LIMIT_MS + 100);
});

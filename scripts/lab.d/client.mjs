import { createSocket } from 'node:dgram';
import { connect } from 'node:net';

/**
 * The lab's client: asks the service addresses for the name of the node that answers, each
 * question once and without repetition.
 *
 * Arguments: the IPv4 and the IPv6 address, and the milliseconds between two questions over UDP
 * and over TCP. When its stdin ends, it waits for what is under way and prints one line of JSON:
 * for each of udp4, udp6, tcp4 and tcp6 the stretches of questions that fared alike, in the order
 * of asking (see Stretch). Times are milliseconds since the epoch. A question that was not
 * answered within a second, or by an error, is lost.
 */

/**
 * @typedef {object} Stretch
 * @property {string} by `near`, `far`, `error` (an answer without the name) or `nobody`
 * @property {number} count
 * @property {number} firstSentMs
 * @property {number} lastSentMs
 * @property {number} firstAnsweredMs 0 without an answer
 */

const LIMIT_MS = 1000;
const UDP_PORTS = 16;
const [v4 = '', v6 = '', udpMs = '10', tcpMs = '100'] = process.argv.slice(2);

const now = () => performance.timeOrigin + performance.now();

/** node.lab. TXT IN, with the recursion desired (RFC 1035 section 4.1). */
const QUERY = Buffer.from(
  '0000 0100 0001 0000 0000 0000 04 6e6f6465 03 6c6162 00 0010 0001'.replaceAll(' ', ''),
  'hex',
);

/** @param {number} id */
function query(id) {
  const message = Buffer.from(QUERY);
  message.writeUInt16BE(id, 0);
  return message;
}

/** @param {Buffer} answer */
function answeredBy(answer) {
  const name = ['near', 'far'].find((node) =>
    answer.includes(Buffer.from([node.length, ...Buffer.from(node)])),
  );
  return name ?? 'error';
}

/** What became of the questions of one kind, in the order of asking. */
class Record {
  /** @type {{ sentMs: number, by: string, answeredMs: number }[]} */
  #asked = [];

  /** @returns {number} the number of the question */
  ask() {
    this.#asked.push({ sentMs: now(), by: 'nobody', answeredMs: 0 });
    return this.#asked.length - 1;
  }

  /**
   * @param {number} id the number's low 16 bits
   * @param {Buffer} answer
   */
  answer(id, answer) {
    // The latest question with such an id: an answer is never as old as the 65536th before.
    const last = this.#asked.length - 1;
    const question = this.#asked[last - ((last - id) & 0xffff)];
    if (question === undefined || question.by !== 'nobody') return;
    const answeredMs = now();
    if (answeredMs - question.sentMs > LIMIT_MS) return;
    Object.assign(question, { by: answeredBy(answer), answeredMs });
  }

  /** @returns {Stretch[]} */
  stretches() {
    /** @type {Stretch[]} */
    const found = [];
    for (const { sentMs, by, answeredMs } of this.#asked) {
      const last = found.at(-1);
      if (last?.by === by) {
        last.count += 1;
        last.lastSentMs = sentMs;
      } else {
        const times = { firstSentMs: sentMs, lastSentMs: sentMs, firstAnsweredMs: answeredMs };
        found.push({ by, count: 1, ...times });
      }
    }
    return found;
  }
}

/** Asks when it is time. A late timer makes up for what it missed. */
class Pace {
  #due = performance.now();

  /**
   * @param {number} everyMs
   * @param {() => void} ask
   */
  constructor(everyMs, ask) {
    this.timer = setInterval(
      () => {
        for (; this.#due <= performance.now(); this.#due += everyMs) ask();
      },
      Math.min(everyMs, 5),
    );
  }
}

/**
 * From many ports, one after the other: routers that have two equal ways go by them.
 *
 * @param {string} address
 */
function udp(address) {
  const record = new Record();
  const ignore = () => {
    // Unreachable or refused: the question stays unanswered.
  };
  const sockets = Array.from({ length: UDP_PORTS }, () => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.on('message', (answer) => {
      record.answer(answer.readUInt16BE(0), answer);
    });
    return socket.on('error', ignore);
  });
  const pace = new Pace(Number(udpMs), () => {
    const number = record.ask();
    sockets[number % UDP_PORTS]?.send(query(number & 0xffff), 53, address, ignore);
  });
  return { record, pace };
}

/** @param {string} address */
function tcp(address) {
  const record = new Record();
  const pace = new Pace(Number(tcpMs), () => {
    const id = record.ask() & 0xffff;
    const connection = connect({ host: address, port: 53, noDelay: true }, () => {
      connection.write(Buffer.concat([Buffer.from([0, QUERY.length]), query(id)]));
    });
    let received = Buffer.alloc(0);
    connection.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      record.answer(id, received.subarray(2));
      connection.destroy();
    });
    connection.on('error', () => {
      connection.destroy();
    });
    setTimeout(() => connection.destroy(), LIMIT_MS);
  });
  return { record, pace };
}

const streams = { udp4: udp(v4), udp6: udp(v6), tcp4: tcp(v4), tcp6: tcp(v6) };
console.log('asking');

process.stdin.resume();
process.stdin.on('end', () => {
  for (const { pace } of Object.values(streams)) clearInterval(pace.timer);
  setTimeout(() => {
    const told = Object.entries(streams).map(([name, { record }]) => [name, record.stretches()]);
    console.log(JSON.stringify(Object.fromEntries(told)));
    process.exit(0);
  }, LIMIT_MS + 100);
});

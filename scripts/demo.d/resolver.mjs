import { createSocket } from 'node:dgram';
import dnsPacket from 'dns-packet';

/** A resolver for the demo where there is no real one: it knows the SOA of the root. */
const socket = createSocket('udp4', (message, { address, port }) => {
  const { id = 0, questions = [] } = dnsPacket.decode(message);
  const asksForRoot = questions[0]?.name === '.' && questions[0].type === 'SOA';
  const answer = dnsPacket.encode({
    type: 'response',
    id,
    flags: dnsPacket.RECURSION_DESIRED | dnsPacket.RECURSION_AVAILABLE | (asksForRoot ? 0 : 3),
    questions,
    answers: asksForRoot ? [{ type: 'SOA', name: '.', ttl: 5, data: ROOT }] : [],
  });
  socket.send(answer, port, address);
});

const ROOT = {
  mname: 'a.root.test',
  rname: 'hostmaster.root.test',
  serial: 1,
  refresh: 1800,
  retry: 900,
  expire: 604_800,
  minimum: 5,
};

socket.bind({ port: 53, exclusive: true });

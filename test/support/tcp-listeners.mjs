// Listens on TCP ports, IPv4 and IPv6, and says how each connection ended: `closed` in order, or
// the error, such as ECONNRESET. The arguments are ports; `PORT!` greets, as many servers do.
import { createServer } from 'node:net';

await Promise.all(
  process.argv.slice(2).map((argument) => {
    const server = createServer((socket) => {
      let end = 'closed';
      if (argument.endsWith('!')) socket.write('220 welcome\r\n');
      socket.resume();
      socket.on('error', (error) => {
        end = String(/** @type {NodeJS.ErrnoException} */ (error).code);
      });
      socket.on('close', () => {
        console.log(`${parseInt(argument, 10)} ${end}`);
      });
    });
    return new Promise((resolve) => {
      server.listen(parseInt(argument, 10), '::', () => {
        resolve(undefined);
      });
    });
  }),
);
console.log('ready');

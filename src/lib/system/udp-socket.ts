import { createSocket, type Socket, type SocketOptions } from 'node:dgram';

/**
 * Opens a UDP socket without the modules that it does not need.
 *
 * With each bind dgram asks node:cluster whether this process is a worker of a cluster, whose
 * parent binds for it. Only node:cluster for parents loads child_process, net and streams, a tenth
 * of an empty Node's start; which of the two it becomes is up to the environment when it is loaded.
 * As ours binds exclusively, it does so by itself, worker or not. Should another version of Node
 * look elsewhere, it just loads more.
 */
export function openUdpSocket(options: SocketOptions): Socket {
  loadClusterForWorkers();
  return createSocket(options);
}

let isLoaded = false;

function loadClusterForWorkers(): void {
  if (isLoaded) return;
  isLoaded = true;
  const given = process.env['NODE_UNIQUE_ID'];
  process.env['NODE_UNIQUE_ID'] = '0';
  process.getBuiltinModule('node:cluster');
  // No program that is started by us may take itself for one.
  if (given === undefined) delete process.env['NODE_UNIQUE_ID'];
  else process.env['NODE_UNIQUE_ID'] = given;
}

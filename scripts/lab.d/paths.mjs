import path from 'node:path';

export const ROOT = path.resolve(import.meta.dirname, '../..');

/** Labs keep their files here, each in a folder of its name. Gone after a reboot. */
export const LABS = '/run/anycast-ha-lab';

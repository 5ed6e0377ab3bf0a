import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { replaceFile, ROOT } from './bundle.mjs';

const SOURCES = path.join(ROOT, 'scripts/systemd');

/** Where the units expect the executables; scripts/install replaces it by its own folder. */
const SBIN_FOLDER = '/usr/local/sbin';

/** The units that are not of one probe. */
const OTHERS = ['anycast-ha-shutdown.service', 'anycast-ha-guard@.service'];

/**
 * What the unit of a probe has beyond those of the others.
 *
 * @type {Readonly<Record<string, { arguments?: string, service?: string }>>}
 */
const PARTICULARS = {
  'radius-probe': {
    arguments: ' --secret-file %d/secret',
    service: `
# The shared secret, as a credential: nobody but this unit can read the copy (systemd.exec(5)).
LoadCredential=secret:/etc/anycast-ha/%i.secret
`,
  },
  'exec-probe': {
    service: `
# The command runs with the same few rights: exec-probe(8), UNDER ITS UNIT, says what may be missing.
# Room for what it starts, whatever the system's default: a command that cannot fork looks like down.
TasksMax=1024
`,
  },
};

/**
 * Builds the systemd units: a service and a timer for each probe, and those for the shutdown and for
 * the service's own unit.
 *
 * @param {readonly string[]} probes names of the probes
 * @param {string} target folder for the units
 */
export async function buildUnits(probes, target) {
  await mkdir(target, { recursive: true });
  const [service, timer, hardening, ...others] = await Promise.all(
    [
      'probe@.service.in',
      'probe@.timer.in',
      'hardening.in',
      ...OTHERS.map((name) => `${name}.in`),
    ].map((file) => readFile(path.join(SOURCES, file), 'utf8')),
  );
  /** @type {(name: string, text: string | undefined, fields?: Record<string, string>) => Promise<void>} */
  const write = (name, text, fields = {}) =>
    replaceFile(
      path.join(target, name),
      fill(String(text), {
        SBINDIR: SBIN_FOLDER,
        HARDENING: String(hardening).trimEnd(),
        ...fields,
      }),
      0o644,
    );
  for (const probe of probes) {
    const { arguments: extra = '', service: more = '' } = PARTICULARS[probe] ?? {};
    const fields = { PROBE: probe, ARGUMENTS: extra, SERVICE: more };
    await write(`${probe}@.service`, service, fields);
    await write(`${probe}@.timer`, timer, fields);
  }
  for (const [index, name] of OTHERS.entries()) await write(name, others[index]);
}

/**
 * @param {string} text with fields as `@NAME@`
 * @param {Readonly<Record<string, string>>} fields
 * @returns {string}
 */
function fill(text, fields) {
  return text.replaceAll(/@([A-Z]+)@/g, (_, name) => {
    const value = fields[name];
    if (value === undefined) throw new Error(`a unit has the unknown field @${name}@`);
    return value;
  });
}

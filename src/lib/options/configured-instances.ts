import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ServiceAddress } from '../state/instance-state.ts';
import { ConfigurationError, errnoOf, messageOf } from '../system/errors.ts';
import { parseAddress } from '../system/ip-address.ts';
import { instanceOfFile, isConfigurationFile, readToml } from './config-file.ts';

/** What a configuration file says of its instance. */
export interface ConfiguredInstance {
  readonly path: string;
  readonly instance: string;
  readonly places: readonly ServiceAddress[];
  /** When the file was last changed, moved or replaced, on the wall clock. */
  readonly changedAtMs: number;
}

export interface Configurations {
  /** undefined: there is no such file. Throws ConfigurationError for one that cannot be read. */
  read(path: string): ConfiguredInstance | undefined;
  /** Those in the folder of a file, without it and without what cannot be read. */
  beside(path: string): readonly ConfiguredInstance[];
}

/** A configuration file, as far as ha-status can tell what it is for. */
export interface KnownConfiguration {
  readonly path: string;
  readonly instance: string;
  /** Why no pass can read it. */
  readonly problem: string | undefined;
}

/** Reads what configuration files say of their instances, whichever probe they are for. */
export function configurationsFor(ownUid: number): Configurations {
  return {
    read: (path) => configuredInstance(path, ownUid),
    beside: (path) =>
      configurationsIn(dirname(path)).flatMap((other) => {
        try {
          return other === path ? [] : (configuredInstance(other, ownUid) ?? []);
        } catch (error) {
          if (error instanceof ConfigurationError) return [];
          throw error;
        }
      }),
  };
}

/**
 * The instances of a folder of configurations that have something to advertise, and those whose
 * file no pass can read. One that we may not read ourselves tells us nothing.
 */
export function knownConfigurations(folder: string, ownUid: number): readonly KnownConfiguration[] {
  return configurationsIn(folder).flatMap((path): KnownConfiguration | [] => {
    try {
      const found = configuredInstance(path, ownUid);
      if (found === undefined || found.places.length === 0) return [];
      return { path, instance: found.instance, problem: undefined };
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      if (errnoOf(error.cause) === 'EACCES') return [];
      return { path, instance: instanceOfFile(path), problem: error.message };
    }
  });
}

/** The paths of all configurations in a folder, sorted; none where it cannot be read. */
export function configurationsIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter(isConfigurationFile)
      .sort()
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

/**
 * What a configuration file says of its instance. What flags say beside it is not known.
 *
 * @returns undefined where there is no such file
 * @throws ConfigurationError for one that cannot be read or understood
 */
function configuredInstance(path: string, ownUid: number): ConfiguredInstance | undefined {
  let changedAtMs: number;
  try {
    changedAtMs = statSync(path).ctimeMs;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw new ConfigurationError(`${path}: ${messageOf(error)}`, { cause: error });
  }
  const toml = readToml(path, ownUid);
  const { instance = instanceOfFile(path), interface: device = 'lo', address = [] } = toml;
  const places = (Array.isArray(address) ? address : [address]).map((text: unknown) => ({
    address: canonical(String(text)),
    interface: String(device),
  }));
  return { path, instance: String(instance), places, changedAtMs };
}

function canonical(text: string): string {
  try {
    return parseAddress(text.replace(/\/(?:32|128)$/, '')).text;
  } catch {
    return text; // its own pass says what is wrong with it
  }
}

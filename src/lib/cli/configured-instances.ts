import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Configurations, ConfiguredInstance } from '../pass/pass-ports.ts';
import { ConfigurationError, errnoOf, messageOf } from '../system/errors.ts';
import { parseAddress } from '../system/ip-address.ts';
import { instanceOfFile, isConfigurationFile, readToml } from './config-file.ts';

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

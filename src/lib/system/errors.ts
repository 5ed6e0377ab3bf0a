import { ExitStatus } from './exit-status.ts';

/**
 * A fault that the user or the machine has to mend: one line on stderr, then its exit status.
 * Anything else that is thrown is a bug of ours (exit 70).
 */
export abstract class ReportedError extends Error {
  abstract override readonly name: string;
  abstract readonly exitStatus: number;
}

/** A mistake on the command line or in the environment; names the flag. */
export class UsageError extends ReportedError {
  override readonly name = 'UsageError';
  readonly exitStatus = ExitStatus.usage;
}

/** An instance that nothing on this node knows. */
export class NoSuchInstanceError extends ReportedError {
  override readonly name = 'NoSuchInstanceError';
  readonly exitStatus = ExitStatus.noSuchInstance;
}

/** The kernel did not take a change, or does not show it. */
export class KernelError extends ReportedError {
  override readonly name = 'KernelError';
  readonly exitStatus = ExitStatus.kernel;
}

/** The state cannot be read or written. */
export class StateError extends ReportedError {
  override readonly name = 'StateError';
  readonly exitStatus = ExitStatus.state;
}

/** Another pass holds the lock. */
export class BusyError extends ReportedError {
  override readonly name = 'BusyError';
  readonly exitStatus = ExitStatus.busy;
}

/** The user or the unit lacks a privilege, or a folder must not be trusted. */
export class PermissionError extends ReportedError {
  override readonly name = 'PermissionError';
  readonly exitStatus = ExitStatus.permission;
}

/** systemd does not know a unit, or cannot be asked. */
export class SystemdError extends ReportedError {
  override readonly name = 'SystemdError';
  readonly exitStatus = ExitStatus.unknown;
}

/** A mistake in a configuration file or between two of them; names the key. */
export class ConfigurationError extends ReportedError {
  override readonly name = 'ConfigurationError';
  readonly exitStatus = ExitStatus.configuration;
}

/**
 * The symbolic errno of a failed system call.
 *
 * @returns for example 'ENOENT', or undefined when the value is no system error
 */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The message of anything that was thrown, on one line. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return joinLines(text, ' ');
}

/** Where something unexpected was thrown, on one line, for the report of a bug. */
export function stackOf(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return joinLines(text, ' | ');
}

/** By lines, for a regular expression takes quadratic time over blanks, and others write these. */
function joinLines(text: string, separator: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '').join(separator);
}

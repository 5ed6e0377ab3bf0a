import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  BusyError,
  ConfigurationError,
  errnoOf,
  KernelError,
  messageOf,
  NoSuchInstanceError,
  PermissionError,
  ReportedError,
  StateError,
  UsageError,
} from '../../../src/lib/system/errors.ts';

test.each([
  [UsageError, 'UsageError', 64],
  [NoSuchInstanceError, 'NoSuchInstanceError', 66],
  [KernelError, 'KernelError', 71],
  [StateError, 'StateError', 74],
  [BusyError, 'BusyError', 75],
  [PermissionError, 'PermissionError', 77],
  [ConfigurationError, 'ConfigurationError', 78],
] as const)('%o is reported as %s, with exit status %i', (Kind, name, exitStatus) => {
  const cause = new Error('cause');
  const error = new Kind('what happened', { cause });
  expect(error).toBeInstanceOf(ReportedError);
  expect(error).toMatchObject({ name, exitStatus, message: 'what happened', cause });
});

test('the errno of a failed system call is known, and nothing else has one', () => {
  let missing: unknown;
  try {
    readFileSync('/nonexistent');
  } catch (error) {
    missing = error;
  }
  expect(errnoOf(missing)).toBe('ENOENT');
  for (const other of [
    new Error('x'),
    Object.assign(new Error('x'), { code: 7 }),
    { code: 'EIO' },
    'EIO',
    null,
  ]) {
    expect(errnoOf(other)).toBeUndefined();
  }
});

test('the message of whatever was thrown is one line', () => {
  expect(messageOf(new Error('first\n  second\n'))).toBe('first second');
  expect(messageOf('text')).toBe('text');
  expect(messageOf(undefined)).toBe('undefined');
});

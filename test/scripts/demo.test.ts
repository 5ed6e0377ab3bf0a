import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from '../support/child.ts';
import { ROOT } from '../support/executable.ts';

test('the demo shows every stage, and leaves nothing behind', { timeout: 180_000 }, async () => {
  const before = existsSync('/run/anycast-ha');
  const demo = await runCommand(path.join(ROOT, 'scripts/demo'), [], { timeoutMs: 170_000 });
  expect({ exitCode: demo.exitCode, stderr: demo.stderr }).toEqual({ exitCode: 0, stderr: '' });
  // What `ip` said of lo at each stage, and of the drain.
  const out = '127.0.0.1/8 ::1/128';
  const advertised = '127.0.0.1/8 192.0.2.1/32 2001:db8::1/128 ::1/128';
  const shown = [...demo.stdout.matchAll(/^lo +UNKNOWN +(.*?) *$/gm)].map(([, text]) => text);
  expect(shown).toEqual([advertised, out, advertised, out, out, advertised, out, out]);
  expect(demo.stdout).toMatch(/^local 192\.0\.2\.1 dev lo .*metric 1/m);
  expect(demo.stdout).toMatch(/^up: 192\.0\.2\.1:53 \. SOA: NOERROR/m);
  expect(demo.stdout).toContain('suspended by manual');
  expect(demo.stdout, 'no colours where nobody sees them').not.toContain('\u001b');
  expect(existsSync('/run/anycast-ha')).toBe(before);
});

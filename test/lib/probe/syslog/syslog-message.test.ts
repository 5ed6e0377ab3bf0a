import { describe, expect, test } from 'vitest';
import {
  encodeSyslogMessage,
  frameSyslogMessage,
  type SyslogMessage,
} from '../../../../src/lib/probe/syslog/syslog-message.ts';

const MESSAGE: SyslogMessage = {
  format: 'rfc3164',
  priority: { facility: 'local0', severity: 'debug' },
  content: 'anycast-ha probe 0123',
};
/** In the zone of the tests, whichever that is: RFC 3164 writes local time. */
const WALL_MS = new Date(2026, 10, 2, 3, 4, 5, 678).getTime();

describe('a message of RFC 3164', () => {
  test('has local time with a padded day, the short host and a tag', () => {
    expect(encodeSyslogMessage(MESSAGE, WALL_MS, 'node1.example.org')).toBe(
      '<135>Nov  2 03:04:05 node1 syslog-probe: anycast-ha probe 0123',
    );
  });

  test.each(['', '.example.org', 'é'])('has a stand-in for the host name %j', (hostname) => {
    expect(encodeSyslogMessage(MESSAGE, WALL_MS, hostname)).toContain(' localhost syslog-probe: ');
  });
});

describe('a message of RFC 5424', () => {
  const message: SyslogMessage = { ...MESSAGE, format: 'rfc5424' };

  test('has UTC time, the whole host name and nil values', () => {
    expect(encodeSyslogMessage(message, Date.UTC(2026, 10, 2, 3, 4, 5, 678), 'n.example.org')).toBe(
      '<135>1 2026-11-02T03:04:05.678Z n.example.org syslog-probe - - - anycast-ha probe 0123',
    );
  });

  test('has a nil value for an empty host name', () => {
    expect(encodeSyslogMessage(message, 0, '')).toContain('00:00.000Z - syslog-probe ');
  });
});

test.each([
  ['kern', 'emerg', 0],
  ['user', 'notice', 13],
  ['ftp', 'info', 94],
  ['local7', 'debug', 191],
] as const)('%s.%s is priority %i', (facility, severity, code) => {
  const message: SyslogMessage = { ...MESSAGE, priority: { facility, severity } };
  expect(encodeSyslogMessage(message, WALL_MS, 'a')).toMatch(new RegExp(`^<${code}>Nov`));
});

test('a host name cannot break the header', () => {
  const encoded = encodeSyslogMessage({ ...MESSAGE, format: 'rfc5424' }, 0, 'a b\n<0>c');
  expect(encoded).toContain(' ab0c syslog-probe ');
});

test('in a stream a message is counted, or ended by a line feed', () => {
  expect(frameSyslogMessage('<135>x', 'octet-counting')).toBe('6 <135>x');
  expect(frameSyslogMessage('<135>x', 'lf')).toBe('<135>x\n');
});

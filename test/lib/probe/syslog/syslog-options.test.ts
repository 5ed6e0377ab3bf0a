import { describe, expect, test } from 'vitest';
import { prepareSyslog, syslogOptions } from '../../../../src/lib/probe/syslog/syslog-options.ts';
import { UsageError } from '../../../../src/lib/system/errors.ts';
import { optionValues } from '../../../support/option-values.ts';

function prepare(given: Readonly<Record<string, string>> = {}): ReturnType<typeof prepareSyslog> {
  const texts = Object.entries(given).map(([name, text]) => [name, [text]] as const);
  return prepareSyslog(optionValues(syslogOptions, Object.fromEntries(texts)));
}

const LOOPBACK = { family: 4, text: '127.0.0.1' };

describe('the options of syslog-probe', () => {
  test('are those of the shipped examples by default', () => {
    expect(prepare()).toEqual({
      options: {
        send: { transport: 'udp', address: LOOPBACK, port: 5514 },
        listen: { transport: 'udp', address: LOOPBACK, port: 5515 },
        format: 'rfc3164',
        priority: { facility: 'local0', severity: 'debug' },
      },
      targets: [LOOPBACK, LOOPBACK],
    });
  });

  test('take addresses of both families', () => {
    const { options, targets } = prepare({
      send: 'tcp://[::1]:514',
      listen: 'tcp://[2001:db8::1]:9',
    });
    const [one, other] = [
      { family: 6, text: '::1' },
      { family: 6, text: '2001:db8::1' },
    ];
    expect(options.send).toEqual({ transport: 'tcp', address: one, port: 514, framing: 'lf' });
    expect(options.listen).toEqual({ transport: 'tcp', address: other, port: 9 });
    expect(targets).toEqual([one, other]);
  });

  test('take a unix socket, which has no address to be withdrawn', () => {
    const { options, targets } = prepare({ send: 'unix:/dev/log' });
    expect(options.send).toEqual({ transport: 'unix', path: '/dev/log' });
    expect(targets).toEqual([LOOPBACK]);
  });

  test.each([
    [{}, 'lf'],
    [{ format: 'rfc5424' }, 'octet-counting'],
    [{ format: 'rfc5424', framing: 'lf' }, 'lf'],
    [{ framing: 'octet-counting' }, 'octet-counting'],
  ])('frame a stream with %j by %s', (given, framing) => {
    expect(prepare({ send: 'tcp://127.0.0.1:1', ...given }).options.send).toMatchObject({
      framing,
    });
  });

  test('take a priority in any case', () => {
    expect(prepare({ priority: 'Mail.ERR' }).options.priority).toEqual({
      facility: 'mail',
      severity: 'err',
    });
  });

  test.each([
    ['send', '127.0.0.1:5514'],
    ['send', 'udp://127.0.0.1'],
    ['send', 'udp://127.0.0.1:0'],
    ['send', 'udp://localhost:514'],
    ['send', 'tls://127.0.0.1:6514'],
    ['send', 'unix:dev/log'],
    ['send', 'unix:'],
    ['send', `unix:/${'a'.repeat(107)}`],
    ['send', 'unix:/dev/log\n'],
    ['listen', 'unix:/dev/log'],
    ['listen', 'udp://[::1]'],
    ['format', 'rfc3195'],
    ['framing', 'nul'],
    ['priority', 'local0'],
    ['priority', 'local8.debug'],
    ['priority', 'local0.loud'],
    ['priority', 'local0.debug.x'],
    ['priority', 'toString.debug'],
  ])('refuse --%s %j', (name, text) => {
    expect(() => prepare({ [name]: text })).toThrow(RangeError);
  });

  test.each([
    [{ framing: 'lf' }, '--framing is for --send tcp://… only'],
    [{ send: 'unix:/dev/log', framing: 'lf' }, '--framing is for --send tcp://… only'],
    [{ send: 'udp://127.0.0.1:5515' }, '--send and --listen are the same'],
  ])('refuse %j', (given, message) => {
    expect(() => prepare(given)).toThrow(UsageError);
    expect(() => prepare(given)).toThrow(message);
  });
});

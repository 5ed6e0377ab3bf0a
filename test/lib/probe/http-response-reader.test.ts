import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  HttpResponseReader,
  type HttpProgress,
} from '../../../src/lib/probe/http-response-reader.ts';

const BOUNDS = { maxHeadBytes: 1000, maxBodyBytes: 100 };

/** Reads a whole stream, in pieces of the given size, to its end. */
function read(stream: string, { method = 'GET', pieceBytes = 10_000 } = {}): HttpProgress {
  const reader = new HttpResponseReader(method, BOUNDS);
  for (let from = 0; from < stream.length; from += pieceBytes) {
    reader.push(stream.slice(from, from + pieceBytes));
  }
  return reader.end();
}

function completeWith(statusCode: number, body: string, isCut = false): unknown {
  return {
    kind: 'complete',
    response: { statusCode, body, isCut, headers: expect.any(Map) as unknown },
  };
}

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

describe('a response is read', () => {
  test.each([
    ['by its length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 200, 'hello'],
    ['with bytes behind it', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello', 200, 'he'],
    ['with length 0', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 200, ''],
    ['with one length twice', 'HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhe', 200, 'he'],
    ['to the end of the stream', 'HTTP/1.0 404 Not Found\r\n\r\nhello', 404, 'hello'],
    ['without a reason phrase', 'HTTP/1.1 200\r\n\r\n', 200, ''],
    ['with bare line feeds', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nhi', 200, 'hi'],
    ['without a body by status', 'HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n', 204, ''],
    ['in chunks', `${CHUNKED}5\r\nhello\r\n1;a=b\r\n!\r\n0\r\n\r\n`, 200, 'hello!'],
    ['with trailers', `${CHUNKED}1\r\nx\r\n0\r\nA: b\r\n\r\n`, 200, 'x'],
    [
      'in chunks even when a length is given',
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n',
      200,
      'x',
    ],
    [
      'after interim responses',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx',
      200,
      'x',
    ],
  ])('%s', (_, stream, statusCode, body) => {
    expect(read(stream)).toEqual(completeWith(statusCode, body));
    expect(read(stream, { pieceBytes: 1 })).toEqual(completeWith(statusCode, body));
  });

  test('without a body to HEAD, and to CONNECT when the tunnel stands', () => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n';
    expect(read(head, { method: 'HEAD' })).toEqual(completeWith(200, ''));
    expect(read(head, { method: 'CONNECT' })).toEqual(completeWith(200, ''));
    const refused = 'HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno';
    expect(read(refused, { method: 'CONNECT' })).toEqual(completeWith(503, 'no'));
  });

  test('with fields by lower-case name, joined, unfolded and without blanks around', () => {
    const progress = read(
      'HTTP/1.1 200 OK\r\nVIA:  1.1 a \r\nvia: 1.1 b\r\nX-Long: one\r\n  two\r\nEmpty:\r\n\r\n',
    );
    if (progress.kind !== 'complete') throw new Error(progress.kind);
    expect(Object.fromEntries(progress.response.headers)).toEqual({
      via: '1.1 a, 1.1 b',
      'x-long': 'one two',
      empty: '',
    });
  });

  test.each([
    ['sized', `HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n${'x'.repeat(101)}`],
    ['chunked', `${CHUNKED}ffffff\r\n${'x'.repeat(101)}`],
    ['endless', `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(101)}`],
  ])('up to the bound of its body: %s', (_, stream) => {
    expect(read(stream)).toEqual(completeWith(200, 'x'.repeat(100), true));
    expect(read(stream, { pieceBytes: 1 })).toEqual(completeWith(200, 'x'.repeat(100), true));
  });

  test('whole when its body is just as long as the bound', () => {
    const body = 'x'.repeat(100);
    const stream = `HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n${body}`;
    expect(read(stream)).toEqual(completeWith(200, body));
  });

  test('with any number of chunk lines, whose sum is longer than a header may be', () => {
    const reader = new HttpResponseReader('GET', { maxHeadBytes: 100, maxBodyBytes: 10_000 });
    reader.push(CHUNKED);
    for (let chunk = 0; chunk < 1000; chunk += 1) reader.push('1\r\nx\r\n');
    expect(reader.push('0\r\n\r\n')).toEqual(completeWith(200, 'x'.repeat(1000)));
  });
});

describe('a response is malformed', () => {
  test.each([
    ['that is not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n', 'no HTTP status line'],
    ['of HTTP/2', 'HTTP/2 200\r\n\r\n', 'no HTTP status line'],
    ['with four digits', 'HTTP/1.1 2000 OK\r\n\r\n', 'no HTTP status line'],
    ['that begins with an empty line', '\r\nHTTP/1.1 200 OK\r\n\r\n', 'no HTTP status line'],
    ['with a line that is no field', 'HTTP/1.1 200 OK\r\nhello\r\n\r\n', 'a header line'],
    ['with a fold before any field', 'HTTP/1.1 200 OK\r\n a\r\n\r\n', 'a header line'],
    ['with two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n', 'no valid Content'],
    ['with a length below 0', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n', 'no valid Content'],
    ['without a chunk size', `${CHUNKED}\r\n`, 'no valid chunk size'],
    ['with a chunk size that is no number', `${CHUNKED}xyz\r\n`, 'no valid chunk size'],
    ['with more than a chunk holds', `${CHUNKED}1\r\nxy\r\n`, 'a chunk longer than its size'],
    ['with an endless line', 'H'.repeat(1001), 'header longer than 1000 bytes'],
    ['with endless fields', `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(200)}`, 'header longer'],
    ['with endless interim responses', 'HTTP/1.1 100 C\r\n\r\n'.repeat(100), 'header longer'],
    ['with an endless trailer', `${CHUNKED}0\r\n${'A: b\r\n'.repeat(200)}`, 'header longer'],
    ['with an endless chunk extension', `${CHUNKED}1;${'a'.repeat(1000)}`, 'header longer'],
  ])('%s', (_, stream, fault) => {
    const expected = { kind: 'malformed', fault: expect.stringContaining(fault) as string };
    expect(read(stream)).toEqual(expected);
    expect(read(stream, { pieceBytes: 1 })).toEqual(expected);
  });
});

describe('a response that stops says how far it came', () => {
  test.each([
    ['', 'nothing'],
    ['HTTP/1.1 20', '11 bytes of the header'],
    ['HTTP/1.1 200 OK\r\nVia: a', '23 bytes of the header'],
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel', 'status 200 and 3 bytes of the body'],
    [`${CHUNKED}5\r\nhello\r\n`, 'status 200 and 5 bytes of the body'],
  ])('%j', (stream, position) => {
    const reader = new HttpResponseReader('GET', BOUNDS);
    reader.push(stream);
    expect(reader.end()).toEqual({ kind: 'reading' });
    expect(reader.position).toBe(position);
  });
});

test('what was answered does not depend on how the bytes were cut, whatever they are', () => {
  const line = fc.constantFrom(
    ...['HTTP/1.1 200 OK', 'HTTP/1.1 100 C', 'Content-Length: 3', 'Transfer-Encoding: chunked'],
    ...['A: b', ' c', '', '3', '0', 'abc', 'x', '\u0000\u00ff'],
  );
  const stream = fc
    .array(fc.tuple(line, fc.constantFrom('\r\n', '\n', '')), { maxLength: 20 })
    .map((lines) => lines.flat().join(''));
  fc.assert(
    fc.property(stream, fc.integer({ min: 1, max: 7 }), (text, pieceBytes) => {
      expect(read(text, { pieceBytes })).toEqual(read(text));
    }),
    { numRuns: 2000 },
  );
});

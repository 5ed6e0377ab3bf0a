/** What was read of one HTTP response. */
export interface HttpResponse {
  readonly statusCode: number;
  /** By lower-case name; fields of the same name are joined by `, ` (RFC 9110 section 5.3). */
  readonly headers: ReadonlyMap<string, string>;
  /** One character per byte. */
  readonly body: string;
  /** Whether the body went on beyond the bound: `body` then is its beginning. */
  readonly isCut: boolean;
}

export type HttpProgress =
  | { readonly kind: 'reading' }
  | { readonly kind: 'complete'; readonly response: HttpResponse }
  | { readonly kind: 'malformed'; readonly fault: string };

export interface HttpBounds {
  /** Status line and header fields; the same again for the line of a chunk and for trailers. */
  readonly maxHeadBytes: number;
  readonly maxBodyBytes: number;
}

/** What the next bytes are. */
type Phase = 'head' | 'sized' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer' | 'until-close';

const READING: HttpProgress = { kind: 'reading' };

/**
 * Reads the final response to one request on a connection that serves nothing else (RFC 9112).
 * node:http does the same and much more; loading and using it adds 5 ms to a pass of 39 ms.
 *
 * Bytes come as text with one character per byte ('latin1').
 */
export class HttpResponseReader {
  readonly #method: string;
  readonly #bounds: HttpBounds;
  #phase: Phase = 'head';
  #progress: HttpProgress = READING;
  /** What has arrived and is not used up. */
  #pending = '';
  /** Bytes used up by lines, to be held against the bound. */
  #lineBytes = 0;
  #headLines: string[] = [];
  #statusCode = 0;
  #headers: ReadonlyMap<string, string> = new Map();
  #body = '';
  /** Bytes still to come in the sized body or chunk. */
  #remaining = 0;

  constructor(method: string, bounds: HttpBounds) {
    this.#method = method;
    this.#bounds = bounds;
  }

  /** How far it came, for the message about an answer that stopped. */
  get position(): string {
    if (this.#phase !== 'head') {
      return `status ${this.#statusCode} and ${this.#body.length} bytes of the body`;
    }
    const bytes = this.#lineBytes + this.#pending.length;
    return bytes === 0 ? 'nothing' : `${bytes} bytes of the header`;
  }

  /** Takes the bytes that arrived. What follows a complete response is not looked at. */
  push(text: string): HttpProgress {
    this.#pending += text;
    while (this.#progress.kind === 'reading' && this.#step());
    return this.#progress;
  }

  /** Takes the end of the stream: it completes only a body that has no other end. */
  end(): HttpProgress {
    if (this.#progress.kind === 'reading' && this.#phase === 'until-close') this.#complete(false);
    return this.#progress;
  }

  /** Uses up some of what is pending. Returns whether there may be more to do. */
  #step(): boolean {
    switch (this.#phase) {
      case 'sized':
      case 'chunk':
        return this.#takeSized();
      case 'until-close':
        this.#addToBody(this.#pending);
        this.#pending = '';
        return false;
      case 'head':
      case 'chunk-size':
      case 'chunk-end':
      case 'trailer':
        return this.#takeLine();
    }
  }

  #takeLine(): boolean {
    const end = this.#pending.indexOf('\n');
    const length = end === -1 ? this.#pending.length : end + 1;
    if (this.#lineBytes + length > this.#bounds.maxHeadBytes) {
      return this.#fail(`header longer than ${this.#bounds.maxHeadBytes} bytes`);
    }
    if (end === -1) return false;
    // A bare LF ends a line too (RFC 9112 section 2.2).
    const line = this.#pending.slice(0, this.#pending[end - 1] === '\r' ? end - 1 : end);
    this.#pending = this.#pending.slice(length);
    this.#lineBytes += length;
    switch (this.#phase) {
      case 'head':
        if (line !== '') this.#headLines.push(line);
        else this.#finishHead();
        return true;
      case 'chunk-size':
        return this.#startChunk(line);
      case 'chunk-end':
        this.#phase = 'chunk-size';
        return line === '' || this.#fail('a chunk longer than its size');
      case 'trailer':
        if (line === '') this.#complete(false);
        return true;
      default:
        return false;
    }
  }

  #finishHead(): void {
    const [statusLine = '', ...fieldLines] = this.#headLines;
    const match = /^HTTP\/1\.\d ([1-9]\d\d)(?: |$)/.exec(statusLine);
    if (match === null) {
      this.#fail('no HTTP status line');
      return;
    }
    this.#statusCode = Number(match[1]);
    this.#headLines = [];
    // Interim responses are passed over (RFC 9110 section 15.2), within the bound of the head.
    if (this.#statusCode < 200 && this.#statusCode !== 101) return;
    const headers = parseFields(fieldLines);
    if (headers === undefined) {
      this.#fail('a header line without a name');
      return;
    }
    this.#headers = headers;
    this.#startBody();
  }

  /** RFC 9112 section 6.3. */
  #startBody(): void {
    const length = this.#headers.get('content-length');
    const coding = this.#headers.get('transfer-encoding');
    if (this.#hasNoBody()) {
      this.#complete(false);
    } else if (coding !== undefined) {
      this.#phase = /(?:^|,)\s*chunked\s*$/i.test(coding) ? 'chunk-size' : 'until-close';
    } else if (length === undefined) {
      this.#phase = 'until-close';
    } else {
      const lengths = new Set(length.split(',').map((part) => part.trim()));
      const [only = ''] = lengths;
      if (lengths.size !== 1 || !/^\d{1,15}$/.test(only)) {
        this.#fail('no valid Content-Length');
        return;
      }
      this.#phase = 'sized';
      this.#remaining = Number(only);
      if (this.#remaining === 0) this.#complete(false);
    }
  }

  #hasNoBody(): boolean {
    const code = this.#statusCode;
    if (code < 200 || code === 204 || code === 304 || this.#method === 'HEAD') return true;
    return this.#method === 'CONNECT' && code < 300;
  }

  #startChunk(line: string): boolean {
    const size = /^([0-9A-Fa-f]{1,12})[ \t]*(?:;|$)/.exec(line)?.[1];
    if (size === undefined) return this.#fail('no valid chunk size');
    this.#remaining = Number.parseInt(size, 16);
    this.#lineBytes = 0;
    this.#phase = this.#remaining === 0 ? 'trailer' : 'chunk';
    return true;
  }

  #takeSized(): boolean {
    const part = this.#pending.slice(0, this.#remaining);
    this.#pending = this.#pending.slice(part.length);
    this.#remaining -= part.length;
    this.#addToBody(part);
    if (this.#remaining > 0) return false;
    if (this.#phase === 'chunk') this.#phase = 'chunk-end';
    else if (this.#progress.kind === 'reading') this.#complete(false);
    return true;
  }

  #addToBody(part: string): void {
    const room = this.#bounds.maxBodyBytes - this.#body.length;
    this.#body += part.slice(0, room);
    if (part.length > room) this.#complete(true);
  }

  #complete(isCut: boolean): void {
    this.#progress = {
      kind: 'complete',
      response: {
        statusCode: this.#statusCode,
        headers: this.#headers,
        body: this.#body,
        isCut,
      },
    };
  }

  #fail(fault: string): false {
    this.#progress = { kind: 'malformed', fault };
    return false;
  }
}

/**
 * RFC 9110 section 5.6.2: what names of fields are made of. The blanks around the value are no part
 * of the pattern: finding them by one takes a time that grows with the square of their number.
 */
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):(.*)$/;

function parseFields(lines: readonly string[]): ReadonlyMap<string, string> | undefined {
  const fields = new Map<string, string>();
  let last: string | undefined;
  for (const line of lines) {
    const [, name, value = ''] = FIELD.exec(line) ?? [];
    if (name !== undefined) last = name.toLowerCase();
    // A line that begins with a blank goes on from the one before (RFC 9112 section 5.2).
    else if (last === undefined || !/^[ \t]/.test(line)) return undefined;
    const before = fields.get(last);
    const text = (name === undefined ? line : value).trim();
    const separator = name === undefined ? ' ' : ', ';
    fields.set(last, before === undefined ? text : `${before}${separator}${text}`);
  }
  return fields;
}

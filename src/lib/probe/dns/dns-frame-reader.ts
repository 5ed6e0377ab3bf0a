/**
 * Puts messages together out of what TCP delivers: each comes behind its length in two bytes
 * (RFC 7766 section 8). Never keeps more than one message of at most 64 KiB.
 */
export class DnsFrameReader {
  #pending: Buffer = Buffer.alloc(0);
  #chunks: Buffer[] = [];
  #chunkBytes = 0;

  /** Takes what arrived, and returns the messages that are complete now. */
  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    // Joined only when a message may be complete: a server that sends byte by byte costs no copies.
    if (this.#pending.length + this.#chunkBytes < this.#wantedBytes()) return [];
    this.#pending = Buffer.concat([this.#pending, ...this.#chunks]);
    this.#chunks = [];
    this.#chunkBytes = 0;
    const messages: Buffer[] = [];
    while (this.#pending.length >= this.#wantedBytes()) {
      const end = this.#wantedBytes();
      messages.push(this.#pending.subarray(2, end));
      this.#pending = this.#pending.subarray(end);
    }
    return messages;
  }

  #wantedBytes(): number {
    return this.#pending.length < 2 ? 2 : 2 + this.#pending.readUInt16BE(0);
  }
}

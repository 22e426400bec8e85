import { createHash } from 'node:crypto';
import { joinedCrc } from './crc32.ts';
import type { LocalPieces } from './local-pieces.ts';
import { type Packed, packAside, unpackAside, withBase, writtenBase } from './packed.ts';
import type { Piece } from './piece.ts';
import { documentTail } from './xmltv.ts';

/** Something to be sent: how long it is, and its bytes. */
export interface GuideBody {
  bytes: number;
  chunks: AsyncIterable<Uint8Array>;
}

interface GzipParts {
  bytes: number;
  parts: readonly Uint8Array[];
}

/** One whole guide. It stays as it is while it is sent, whatever is edited meanwhile. */
export class GuideDocument {
  readonly #head: Buffer;
  readonly #pieces: readonly Piece[];
  readonly #addresses: LocalPieces;
  /** Of everything but the server's address. */
  readonly digest: string;
  readonly #hasOpen: boolean;
  /** What was put together last, and for which address. */
  #zipped: { base: string; parts: Promise<GzipParts> } | undefined;

  constructor(head: string, pieces: readonly Piece[], addresses: LocalPieces) {
    this.#head = Buffer.from(head);
    this.#pieces = pieces;
    this.#addresses = addresses;
    this.#hasOpen = pieces.some(({ open }) => open > 0);
    const hashes = pieces.map(({ hash }) => hash).join('');
    this.digest = createHash('sha256').update(head).update(hashes).digest('base64url');
  }

  /** Strong, with quotes, of the text with this address in it. */
  etag(base: string): string {
    if (!this.#hasOpen) return `"${this.digest}"`;
    return `"${createHash('sha256').update(this.digest).update(base).digest('base64url')}"`;
  }

  /** The text as it is. It is unpacked while it is sent. */
  plain(base: string): GuideBody {
    const written = writtenBase(base);
    const bytes = this.#pieces.reduce(
      (sum, { packed, open }) => sum + packed.bytes + open * (written.length - 1),
      this.#head.length + tail.length,
    );
    return { bytes, chunks: this.#plainChunks(written) };
  }

  /**
   * The text as one gzip file (RFC 1952), put together of what is packed already. Throws UnavailableError when
   * pieces are missing for this address and cannot be made.
   */
  async gzip(base: string): Promise<GuideBody> {
    if (this.#zipped?.base !== base) this.#zipped = { base, parts: this.#gzipParts(base) };
    const zipped = this.#zipped;
    try {
      const { bytes, parts } = await zipped.parts;
      return { bytes, chunks: joined(parts) };
    } catch (error) {
      if (this.#zipped === zipped) this.#zipped = undefined;
      throw error;
    }
  }

  async #gzipParts(base: string): Promise<GzipParts> {
    const local = await this.#addresses.prepare(base, this.#pieces);
    tailPacked ??= packAside(tail);
    const [head, end] = await Promise.all([packAside(this.#head), tailPacked]);
    const all = [head, ...this.#pieces.map((piece) => local(piece)!), end];
    let crc = 0;
    let textBytes = 0;
    let bytes = gzipHead.length + gzipEnd.length + 8;
    for (const packed of all) {
      crc = joinedCrc(crc, packed);
      textBytes += packed.bytes;
      bytes += packed.deflated.length;
    }
    const trailer = Buffer.alloc(8);
    trailer.writeUInt32LE(crc, 0);
    trailer.writeUInt32LE(textBytes % 2 ** 32, 4);
    return { bytes, parts: [gzipHead, ...all.map(({ deflated }) => deflated), gzipEnd, trailer] };
  }

  async *#plainChunks(base: Buffer): AsyncGenerator<Uint8Array> {
    yield this.#head;
    const ahead: Promise<Buffer>[] = [];
    const batches = textBatches(this.#pieces);
    const unpackNext = () => {
      const { value } = batches.next();
      if (value === undefined) return;
      const text = unpackAside(value);
      // Whoever leaves early does not wait for it.
      text.catch(() => {});
      ahead.push(text);
    };
    unpackNext();
    unpackNext();
    for (let next = ahead.shift(); next !== undefined; next = ahead.shift()) {
      const text = await next;
      unpackNext();
      yield withBase(text, base);
    }
    yield tail;
  }
}

const tail = Buffer.from(documentTail);
let tailPacked: Promise<Packed> | undefined;

/** Deflate, no name, no time, from no particular system. */
const gzipHead = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
/** An empty block that is marked as the last one. */
const gzipEnd = Buffer.from([0x03, 0x00]);

/** Texts are unpacked so much at a time, and compressed ones sent. */
const textBatchBytes = 512 * 1024;
const chunkBytes = 128 * 1024;

function* textBatches(pieces: readonly Piece[]): Generator<Uint8Array[], undefined> {
  let batch: Uint8Array[] = [];
  let bytes = 0;
  for (const { packed } of pieces) {
    batch.push(packed.deflated);
    bytes += packed.bytes;
    if (bytes < textBatchBytes) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

/** Small parts together, so that there are fewer writes. */
async function* joined(parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  let batch: Uint8Array[] = [];
  let bytes = 0;
  for (const part of parts) {
    batch.push(part);
    bytes += part.length;
    if (bytes < chunkBytes) continue;
    yield Buffer.concat(batch, bytes);
    batch = [];
    bytes = 0;
  }
  if (bytes > 0) yield Buffer.concat(batch, bytes);
}

import { constants, crc32, deflateRaw, deflateRawSync, inflateRaw, inflateRawSync } from 'node:zlib';
import { escapeUTF8 } from 'entities';
import { shiftOf } from './crc32.ts';

// Texts of the guide as they are kept: compressed, each so that any of them can follow any other in one deflate
// stream (RFC 1951): none refers to what is before it, none is marked as the last, and each ends on a byte. A gzip
// file of several members would do without such care, and libcurl (Kodi), OkHttp (Android players) and browsers refuse
// it or read its first member only.

/** A compressed text. */
export interface Packed {
  /** Alone in its buffer, so that it can be moved from thread to thread. */
  deflated: Uint8Array<ArrayBuffer>;
  /** Length of the text. */
  bytes: number;
  /** CRC-32 of the text. */
  crc: number;
  /** See crc32.ts. */
  shift: number;
}

/** Stands for the server's address in texts that are kept for all addresses; no text has it of its own. */
export const openBase = '\u0001';
const openByte = 1;

/** Half the time of level 6, for two percent more bytes. No text is the last of its stream. */
const packing = { level: 4, finishFlush: constants.Z_SYNC_FLUSH };
/** The stream has no end: what is there is all that there is. */
const unpacking = { finishFlush: constants.Z_SYNC_FLUSH };

/** Takes some milliseconds for a megabyte, so it is for worker threads. */
export function pack(text: Uint8Array): Packed {
  return packed(text, deflateRawSync(text, packing));
}

/** The same, done off this thread. */
export function packAside(text: Uint8Array): Promise<Packed> {
  return new Promise((resolve, reject) => {
    deflateRaw(text, packing, (error, deflated) => (error ? reject(error) : resolve(packed(text, deflated))));
  });
}

function packed(text: Uint8Array, deflated: Uint8Array): Packed {
  const { byteLength: bytes } = text;
  return { deflated: new Uint8Array(deflated), bytes, crc: crc32(text), shift: shiftOf(bytes) };
}

/** The text of a packed one. For worker threads. */
export function unpack(deflated: Uint8Array): Buffer {
  return inflateRawSync(deflated, unpacking);
}

/** The text of packed ones that follow each other. Is done off this thread. */
export function unpackAside(deflated: readonly Uint8Array[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    inflateRaw(Buffer.concat(deflated), unpacking, (error, text) => (error ? reject(error) : resolve(text)));
  });
}

/** A base address as it stands in an XML text. */
export function writtenBase(base: string): Buffer {
  return Buffer.from(escapeUTF8(base));
}

/** How often the text leaves the address open. */
export function countOpen(text: Buffer): number {
  let count = 0;
  for (let at = text.indexOf(openByte); at !== -1; at = text.indexOf(openByte, at + 1)) count++;
  return count;
}

/** The text with the address in it. */
export function withBase(text: Buffer, base: Uint8Array): Buffer {
  const open = countOpen(text);
  if (open === 0) return text;
  const result = Buffer.allocUnsafe(text.length + open * (base.length - 1));
  let from = 0;
  let size = 0;
  for (let at = text.indexOf(openByte); at !== -1; at = text.indexOf(openByte, from)) {
    size += text.copy(result, size, from, at);
    result.set(base, size);
    size += base.length;
    from = at + 1;
  }
  text.copy(result, size, from);
  return result;
}

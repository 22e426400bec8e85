import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ZipFile } from 'yazl';
import { messageOf } from '../errors.ts';

/** Takes secrets out of a text. */
export type Mask = (text: string) => string;

/** One file of a bundle. */
export interface BundlePart {
  /** Its name, with an ending: "timeline.json". */
  name: string;
  /** Gives the text piece by piece; a secret never goes across two pieces. What it throws becomes the file. */
  read(signal: AbortSignal): AsyncIterable<string> | Promise<string>;
}

const partDeadlineMs = 10_000;
const longestPart = 8 * 2 ** 20;
/** More at once would hold up the streams. */
const longestPiece = 64 * 1024;

/**
 * A zip file of all parts, made while it is read. A part that fails, or takes too long, is replaced by a file that says
 * why. When the reader goes away, it ends by itself.
 */
export function bundle(parts: readonly BundlePart[], mask: Mask): Readable {
  const zip = new ZipFile();
  const output = zip.outputStream as Readable;
  const gone = new AbortController();
  output.once('close', () => gone.abort());
  void fill(zip, parts, mask, gone.signal).catch((error: Error) => output.destroy(error));
  return output;
}

async function fill(
  zip: ZipFile,
  parts: readonly BundlePart[],
  mask: Mask,
  gone: AbortSignal,
): Promise<void> {
  zip.on('error', (error: Error) => (zip.outputStream as Readable).destroy(error));
  for (const part of parts) {
    const { name, pieces } = await collect(part, mask, gone);
    if (gone.aborted) return;
    const whole = Readable.from(pieces, { objectMode: false });
    const written = new Promise<void>((resolve) => whole.once('close', () => resolve()));
    zip.addReadStream(whole, name);
    // One part at a time, so that no more than one is in memory.
    await Promise.race([written, aborted(gone)]);
  }
  zip.end();
}

async function collect(
  part: BundlePart,
  mask: Mask,
  gone: AbortSignal,
): Promise<{ name: string; pieces: Buffer[] }> {
  const late = AbortSignal.timeout(partDeadlineMs);
  const signal = AbortSignal.any([gone, late]);
  try {
    const pieces = await Promise.race([readPieces(part, mask, signal), aborted(signal)]);
    if (pieces !== undefined) return { name: part.name, pieces };
    throw new Error(`it took longer than ${partDeadlineMs / 1000} s`);
  } catch (error) {
    const text = `${part.name} could not be made: ${mask(messageOf(error))}\n`;
    return { name: `${part.name}.missing.txt`, pieces: [Buffer.from(text)] };
  }
}

async function readPieces(part: BundlePart, mask: Mask, signal: AbortSignal): Promise<Buffer[]> {
  const source = part.read(signal);
  const texts = Symbol.asyncIterator in source ? source : [await source];
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const text of texts) {
    signal.throwIfAborted();
    for (const line of linesOf(text)) {
      const piece = Buffer.from(mask(line));
      length += piece.length;
      if (length > longestPart) {
        pieces.push(Buffer.from('\n(cut off here: the rest is too much)\n'));
        return pieces;
      }
      pieces.push(piece);
      await nextTurn();
    }
  }
  return pieces;
}

/** A long text, cut at the ends of lines, so that what is masked is whole. */
function* linesOf(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    const cut = start + longestPiece >= text.length ? -1 : text.lastIndexOf('\n', start + longestPiece);
    const end = cut <= start ? nextLineEnd(text, start) : cut + 1;
    yield text.slice(start, end);
    start = end;
  }
}

function nextLineEnd(text: string, start: number): number {
  if (start + longestPiece >= text.length) return text.length;
  const end = text.indexOf('\n', start + longestPiece);
  return end === -1 ? text.length : end + 1;
}

/** Resolves, with undefined, when the signal has been aborted. */
function aborted(signal: AbortSignal): Promise<undefined> {
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }));
}

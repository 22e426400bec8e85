import { headLength, levels } from './log-entry.ts';
import { needleOf } from './log-filter.ts';
import type { LogSegment } from './log-segment.ts';

/** Finds a text in the entries of a file: for each of them, 1 where it is. Capitals do not matter. */
export function findText(text: string, segment: LogSegment): Uint8Array {
  const found = new Uint8Array(segment.count);
  const needle = needleOf(text);
  const search = isAscii(needle) ? byteSearch(needle) : textSearch(needle);
  segment.readAll((bytes, first, end) => search(bytes, { segment, first, end }, found));
  return found;
}

interface Piece {
  segment: LogSegment;
  first: number;
  end: number;
}

type Search = (bytes: Buffer, piece: Piece, found: Uint8Array) => void;

/** Over the whole piece at once: a byte is a character, so that places in the text are places in the file. */
function byteSearch(needle: string): Search {
  const pattern = new RegExp(needle.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'), 'gi');
  return (bytes, { segment, first, end }, found) => {
    const text = bytes.toString('latin1');
    const start = segment.offsets[first]!;
    let index = first;
    pattern.lastIndex = 0;
    for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
      const place = start + match.index;
      while (index < end && place >= segment.offsets[index]! + segment.lengths[index]!) index += 1;
      if (index === end) return;
      const body = bodyOffset(segment, index);
      if (place < body) {
        // In the head of the line, or in a line that is no entry.
        pattern.lastIndex = body - start;
      } else {
        found[index] = 1;
        pattern.lastIndex = segment.offsets[index]! + segment.lengths[index]! - start;
      }
    }
  };
}

/** Entry by entry, because other alphabets have capitals too. */
function textSearch(needle: string): Search {
  const wanted = needle.toLowerCase();
  return (bytes, { segment, first, end }, found) => {
    const start = segment.offsets[first]!;
    for (let index = first; index < end; index++) {
      const lineEnd = segment.offsets[index]! + segment.lengths[index]! - start;
      const body = bytes.toString('utf8', bodyOffset(segment, index) - start, lineEnd);
      if (body.toLowerCase().includes(wanted)) found[index] = 1;
    }
  };
}

function bodyOffset(segment: LogSegment, index: number): number {
  return segment.offsets[index]! + headLength(levels[segment.levels[index]!]!);
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

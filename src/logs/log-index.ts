import { statSync } from 'node:fs';
import { entryIdNumber, entryIdText } from './entry-id.ts';
import { type LogEntry, levels } from './log-entry.ts';
import type { LogFilter } from './log-filter.ts';
import { logFile, logFileNumbersSync } from './log-folder.ts';
import { LogSegment } from './log-segment.ts';
import { findText } from './log-text.ts';

export interface LogQuery extends LogFilter {
  limit: number;
  /** The `nextCursor` of the page before. */
  cursor?: string | undefined;
}

export interface LogPage {
  /** The newest first. */
  entries: LogEntry[];
  /** How many entries of the log match, on this page and on all others. */
  total: number;
  /** Absent on the last page. */
  nextCursor?: string;
}

export interface LogContext {
  entry: LogEntry;
  /** What was logged before and after it, in that order. */
  before: LogEntry[];
  after: LogEntry[];
}

export interface LogSequel {
  /** In the order of their logging. */
  entries: LogEntry[];
  /** There may be more. */
  isCut: boolean;
  /** The entry that was named is not kept any more, and what followed it perhaps neither. */
  isGone: boolean;
}

type Place = readonly [LogSegment, number];

/** A page ends early when its entries take so many bytes. */
const maxPageBytes = 512 * 1024;

/**
 * Where each entry is in the files, by level, channel and time. It reads files and waits for them, so it belongs into
 * a thread of its own.
 */
export class LogIndex {
  /** By the number of the file, the oldest first. */
  private segments = new Map<number, LogSegment>();

  constructor(
    private readonly folder: string,
    /** Whole files that are older are left out. */
    private readonly maxEntries = 2_000_000,
  ) {}

  /** Takes in what was written since the last call, and forgets the files that are gone. */
  refresh(): void {
    const found = new Map<number, LogSegment>();
    let entries = 0;
    for (const number of logFileNumbersSync(this.folder).reverse()) {
      if (entries >= this.maxEntries) break;
      const segment = this.refreshed(number);
      if (segment === undefined) continue;
      found.set(number, segment);
      entries += segment.count;
    }
    this.segments = new Map([...found].reverse());
  }

  find({ limit, cursor, ...filter }: LogQuery): LogPage {
    const before = cursor === undefined ? Infinity : entryIdNumber(cursor);
    const places: Place[] = [];
    let bytes = 0;
    let total = 0;
    let hasMore = false;
    for (const segment of [...this.segments.values()].reverse()) {
      const matches = matcher(segment, filter);
      for (let index = segment.count - 1; index >= 0; index--) {
        if (!matches(index)) continue;
        total += 1;
        if (hasMore || segment.ids[index]! >= before) continue;
        bytes += segment.lengths[index]!;
        hasMore = places.length === limit || (bytes > maxPageBytes && places.length > 0);
        if (!hasMore) places.push([segment, index]);
      }
    }
    const last = places.at(-1);
    return {
      entries: read(places),
      total,
      ...(hasMore && last !== undefined ? { nextCursor: entryIdText(last[0].ids[last[1]]!) } : {}),
    };
  }

  /** An entry with as many around it on either side; undefined when it is not kept. */
  around(id: string, count: number): LogContext | undefined {
    const number = entryIdNumber(id);
    const place = this.firstFrom(number);
    if (place === undefined || place[0].ids[place[1]] !== number) return undefined;
    const [entry] = read([place]);
    if (entry === undefined) return undefined;
    return {
      entry,
      before: read(this.walk(place, -1, count).reverse()),
      after: read(this.walk(place, 1, count)),
    };
  }

  /** What was logged after an entry and matches. */
  after(id: string, filter: LogFilter, limit: number): LogSequel {
    const number = entryIdNumber(id);
    const place = this.firstFrom(number);
    if (place === undefined) return { entries: [], isCut: false, isGone: false };
    const [start, index] = place;
    const isThere = start.ids[index] === number;
    const isGone = !isThere && index === 0 && start === this.oldest();
    const places: Place[] = [];
    let bytes = 0;
    for (const [segment, first] of this.from(start, isThere ? index + 1 : index)) {
      const matches = matcher(segment, filter);
      for (let next = first; next < segment.count; next++) {
        if (!matches(next)) continue;
        bytes += segment.lengths[next]!;
        if (places.length === limit || (bytes > maxPageBytes && places.length > 0)) {
          return { entries: read(places), isCut: true, isGone };
        }
        places.push([segment, next]);
      }
    }
    return { entries: read(places), isCut: false, isGone };
  }

  private refreshed(number: number): LogSegment | undefined {
    const path = logFile(this.folder, number);
    const known = this.segments.get(number);
    try {
      const { ino, size } = statSync(path);
      const isSame = known?.inode === ino && known.scannedBytes <= size;
      const segment = isSame ? known : new LogSegment(path, ino);
      if (segment.scannedBytes < size) segment.scan(size);
      return segment;
    } catch {
      // Removed in between, or unreadable: it has no entries.
      return undefined;
    }
  }

  private oldest(): LogSegment | undefined {
    return [...this.segments.values()].find(({ count }) => count > 0);
  }

  /** The first entry that is not before the id. */
  private firstFrom(id: number): Place | undefined {
    for (const segment of this.segments.values()) {
      if (segment.count > 0 && segment.lastId >= id) return [segment, segment.indexOf(id)];
    }
    return undefined;
  }

  /** Segments from one on, each with the index to begin at. */
  private from(start: LogSegment, index: number): Place[] {
    const segments = [...this.segments.values()];
    return segments.slice(segments.indexOf(start)).map((segment) => [segment, segment === start ? index : 0]);
  }

  /** The neighbours of an entry, the nearest first. */
  private walk([start, index]: Place, step: 1 | -1, count: number): Place[] {
    const segments = [...this.segments.values()];
    const places: Place[] = [];
    let at = segments.indexOf(start);
    let next = index + step;
    while (places.length < count) {
      const segment = segments[at];
      if (segment === undefined) break;
      if (next >= 0 && next < segment.count) {
        places.push([segment, next]);
        next += step;
        continue;
      }
      at += step;
      next = step === 1 ? 0 : (segments[at]?.count ?? 0) - 1;
    }
    return places;
  }
}

/** Whether the entry at an index of this segment matches. */
function matcher(segment: LogSegment, filter: LogFilter): (index: number) => boolean {
  const level = filter.level === undefined ? 0 : levels.indexOf(filter.level);
  const { since = -Infinity, until = Infinity } = filter;
  const channel = filter.channel === undefined ? undefined : segment.channelCode(filter.channel);
  if (filter.channel !== undefined && channel === undefined) return () => false;
  const text = filter.text === undefined ? undefined : textIn(segment, filter.text);
  return (index) =>
    segment.levels[index]! >= level &&
    (channel === undefined || segment.channels[index] === channel) &&
    segment.times[index]! >= since &&
    segment.times[index]! < until &&
    (text === undefined || text[index] === 1);
}

function textIn(segment: LogSegment, text: string): Uint8Array {
  try {
    return findText(text, segment);
  } catch {
    // The file is gone, and with it what it had.
    return new Uint8Array(segment.count);
  }
}

/** The entries at these places, in that order. */
function read(places: readonly Place[]): LogEntry[] {
  const entries: LogEntry[] = [];
  let next = 0;
  while (next < places.length) {
    const [segment] = places[next]!;
    const indexes: number[] = [];
    while (places[next]?.[0] === segment) indexes.push(places[next++]![1]);
    try {
      entries.push(...segment.read(indexes));
    } catch {
      // The file is gone.
    }
  }
  return entries;
}
